import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TokenEncoder } from '../../codec/entropy/index.js';
import { loadEntropyTables } from '../../codec/entropyTables.js';
import { CodecModel, decodeTokens, readAudio } from '../../codec/index.js';
import { ContainerWriter, takeQuantizers, type TokenBlock } from '../../protocol/index.js';
import { finished, runCli, startCli } from '../support/runCli.js';
import { readTokenFile, rewriteHeader, type TokenFile } from '../support/tokenFile.js';
import { fixtureUrl, readWavFixture } from '../support/wavFixture.js';

const RECORDING = 'speech-en-1.wav';

let folder: string;
let model: CodecModel;
/** The recording at 6 codebooks, as `encode` wrote it. */
let tokenBytes: Buffer;
let tokenFile: TokenFile;

beforeAll(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
  tokenBytes = (await runCli(['encode', fileURLToPath(fixtureUrl(RECORDING)), '-o', '-'])).stdout;
  tokenFile = readTokenFile(tokenBytes);
});
afterAll(() => model.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-test-'));
  await writeFile(join(folder, 'in.tsr'), tokenBytes);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs `tessera` where `in.tsr` lies. */
const run = (...args: string[]): ReturnType<typeof runCli> => runCli(args, { cwd: folder });

/** What the library decodes, as 16-bit values. */
async function decodeInLibrary(blocks: readonly TokenBlock[], sampleCount?: number): Promise<Int16Array> {
  const levels: number[] = [];
  for await (const pcm of decodeTokens(model, blocks, sampleCount === undefined ? {} : { sampleCount })) {
    for (const sample of pcm) {
      levels.push(Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))));
    }
  }
  return Int16Array.from(levels);
}

const WAV_HEADER_BYTES = 44;
const levelsOf = (wav: Buffer): Int16Array =>
  Int16Array.from({ length: (wav.length - WAV_HEADER_BYTES) / 2 }, (_, at) =>
    wav.readInt16LE(WAV_HEADER_BYTES + 2 * at),
  );

describe('tessera decode', () => {
  test('writes the samples that the library gives, as many as were encoded', async () => {
    const { code, stdout, stderr } = await run('decode', 'in.tsr', '-o', 'out.wav');
    expect({ code, stderr, stdout: stdout.length }).toEqual({ code: 0, stderr: '', stdout: 0 });
    const wav = await readFile(join(folder, 'out.wav'));
    expect(wav.readUInt32LE(24)).toBe(model.manifest.sampleRate);
    expect(wav.readUInt32LE(40)).toBe(wav.length - WAV_HEADER_BYTES);
    const { length } = readWavFixture(RECORDING).samples;
    expect(levelsOf(wav)).toHaveLength(length);
    expect(levelsOf(wav)).toEqual(await decodeInLibrary(tokenFile.blocks, length));
    expect((await readdir(folder)).sort()).toEqual(['in.tsr', 'out.wav']);
  });

  test('reads entropy-coded files: the same samples from fewer bytes, whatever the depth', async () => {
    const recording = fileURLToPath(fixtureUrl(RECORDING));
    const encode = (...more: string[]): ReturnType<typeof run> =>
      run('encode', recording, '-o', 'coded.tsr', ...more);
    expect(await encode('--coding', 'entropy')).toMatchObject({ code: 0 });
    expect((await stat(join(folder, 'coded.tsr'))).size).toBeLessThan(0.95 * tokenBytes.length);
    expect(await run('decode', 'coded.tsr', '-o', 'coded.wav')).toMatchObject({ code: 0, stderr: '' });
    await run('decode', 'in.tsr', '-o', 'packed.wav');
    expect(await readFile(join(folder, 'coded.wav'))).toEqual(await readFile(join(folder, 'packed.wav')));
    const report = JSON.parse((await run('inspect', 'coded.tsr', '--json')).stdout.toString()) as {
      frameCount: number;
    };
    expect(report.frameCount).toBe(tokenFile.blocks.reduce((sum, { frameCount }) => sum + frameCount, 0));

    await encode('--coding', 'packed', '--depth', 'adaptive');
    await run('decode', 'coded.tsr', '-o', 'packed.wav');
    await encode('--coding', 'entropy', '--depth', 'adaptive');
    await run('decode', 'coded.tsr', '-o', 'coded.wav');
    expect(await readFile(join(folder, 'coded.wav'))).toEqual(await readFile(join(folder, 'packed.wav')));
  });

  test('says when entropy-coded packets are of other tables', async () => {
    const tables = await loadEntropyTables();
    const writer = new ContainerWriter({ ...tokenFile.header, metadata: { entropyTables: '0'.repeat(64) } });
    const coded = new TokenEncoder(tables!).encode(tokenFile.blocks, { isFresh: true });
    await writeFile(
      join(folder, 'other.tsr'),
      Buffer.concat([writer.begin(), writer.coded(coded), writer.finish()]),
    );
    const { code, stderr } = await run('decode', 'other.tsr', '-o', 'out.wav');
    expect(code).toBe(1);
    expect(stderr).toContain('model_mismatch');
  });

  test('uses as many codebooks as it is told', async () => {
    const { code } = await run('decode', 'in.tsr', '-o', 'out.wav', '--quantizers', '2');
    expect(code).toBe(0);
    const coarse = tokenFile.blocks.map((block) => takeQuantizers(block, 2));
    const { length } = readWavFixture(RECORDING).samples;
    expect(levelsOf(await readFile(join(folder, 'out.wav')))).toEqual(await decodeInLibrary(coarse, length));
  });

  test('gives the same sound from a pipe to a pipe', async () => {
    await run('decode', 'in.tsr', '-o', 'out.wav');
    const { code, stdout, stderr } = await runCli(['decode', '-', '-o', '-'], { input: tokenBytes });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(levelsOf(stdout)).toEqual(levelsOf(await readFile(join(folder, 'out.wav'))));
  });

  test('writes what ffmpeg writes', async () => {
    await run('decode', 'in.tsr', '-o', 'out.wav');
    expect(await run('decode', 'in.tsr', '-o', 'out.flac')).toMatchObject({ code: 0, stderr: '' });
    expect((await readFile(join(folder, 'out.flac'))).toString('latin1', 0, 4)).toBe('fLaC');
    const { sampleRate } = model.manifest;
    const flac = await readAudio(join(folder, 'out.flac'), { sampleRate });
    const wav = await readAudio(join(folder, 'out.wav'), { sampleRate });
    expect(flac).toHaveLength(wav.length);
    // ffmpeg may round to 16 bits the other way.
    expect(flac.every((sample, at) => Math.abs(sample - wav[at]!) <= 1 / 32_768)).toBe(true);
  });

  test('fills gaps, at the end too, so that the sound keeps its length', async () => {
    const writer = new ContainerWriter(tokenFile.header);
    const [first, second, third] = tokenFile.blocks;
    const firstFrameIndex = third!.firstFrameIndex;
    const parts = [writer.begin(), writer.tokens(first!)];
    parts.push(writer.gap({ ...second!, reason: 'input_lost' }), writer.tokens(third!));
    parts.push(
      writer.gap({
        firstFrameIndex: firstFrameIndex + third!.frameCount,
        frameCount: 200,
        reason: 'input_lost',
      }),
    );
    parts.push(writer.finish());
    await writeFile(join(folder, 'gaps.tsr'), Buffer.concat(parts));
    expect(await run('decode', 'gaps.tsr', '-o', 'out.wav')).toMatchObject({ code: 0, stderr: '' });
    const levels = levelsOf(await readFile(join(folder, 'out.wav')));
    const { hop, decoderDelaySamples } = model.manifest;
    expect(levels).toHaveLength((firstFrameIndex + third!.frameCount + 200) * hop - decoderDelaySamples);
    expect(levels.slice(-100 * hop).every((level) => level === 0)).toBe(true);
  });

  test('decodes a file that is cut off up to the cut, with a warning', async () => {
    const wholePackets = 3;
    await writeFile(join(folder, 'cut.tsr'), tokenBytes.subarray(0, tokenFile.offsets[wholePackets]! + 5));
    const frames = tokenFile.blocks[wholePackets]!.firstFrameIndex;
    const warning = `cut.tsr: The file is cut off after ${frames} whole frames (byte ${tokenFile.offsets[wholePackets]}): the rest is missing [truncated_container]\n`;
    expect(await run('decode', 'cut.tsr', '-o', 'out.wav')).toMatchObject({
      code: 0,
      stderr: `tessera: warning: ${warning}`,
    });
    expect(levelsOf(await readFile(join(folder, 'out.wav')))).toEqual(
      await decodeInLibrary(tokenFile.blocks.slice(0, wholePackets)),
    );
    expect(await run('decode', 'cut.tsr', '-o', 'strict.wav', '--strict')).toMatchObject({
      code: 1,
      stderr: `tessera: ${warning}`,
    });
    expect((await readdir(folder)).sort()).toEqual(['cut.tsr', 'in.tsr', 'out.wav']);
  });

  test('names the packet and the place of a flipped bit, and writes nothing', async () => {
    const damagedPacket = 2;
    const bytes = Buffer.from(tokenBytes);
    bytes[tokenFile.offsets[damagedPacket]! + 20]! ^= 0x10;
    await writeFile(join(folder, 'flipped.tsr'), bytes);
    for (const args of [
      ['decode', 'flipped.tsr', '-o', 'out.wav'],
      ['inspect', 'flipped.tsr'],
    ]) {
      expect(await run(...args)).toMatchObject({
        code: 1,
        stderr: `tessera: flipped.tsr: Packet ${damagedPacket} at byte ${tokenFile.offsets[damagedPacket]} is damaged: its checksum does not match [bad_container]\n`,
      });
    }
    expect((await readdir(folder)).sort()).toEqual(['flipped.tsr', 'in.tsr']);
  });

  test('refuses damage behind the last packet too', async () => {
    const bytes = Buffer.from(tokenBytes);
    bytes[bytes.length - 10]! ^= 1;
    await writeFile(join(folder, 'flipped.tsr'), bytes);
    expect(await run('decode', 'flipped.tsr', '-o', 'out.wav')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^tessera: flipped\.tsr: The trailer at byte \d+ is damaged: .* \[bad_container\]\n$/,
      ),
    });
    expect(await readdir(folder)).not.toContain('out.wav');
  });

  test('decodes tokens of the models that the manifest names, and with lite', async () => {
    const [earlier = ''] = model.manifest.decodesTokensOf ?? [];
    await writeFile(join(folder, 'earlier.tsr'), rewriteHeader(tokenFile, { modelDigest: earlier }));
    expect(await run('decode', 'earlier.tsr', '-o', 'out.wav')).toMatchObject({ code: 0, stderr: '' });
    const { length } = readWavFixture(RECORDING).samples;
    const standard = await decodeInLibrary(tokenFile.blocks, length);
    expect(levelsOf(await readFile(join(folder, 'out.wav')))).toEqual(standard);
    expect(await run('decode', 'in.tsr', '-o', 'lite.wav', '--model', 'lite')).toMatchObject({ code: 0 });
    const lite = levelsOf(await readFile(join(folder, 'lite.wav')));
    expect(lite).toHaveLength(length);
    expect(lite).not.toEqual(standard);
  });

  test('names the model that the tokens were made with', async () => {
    const modelDigest = 'ab'.repeat(32);
    const bytes = rewriteHeader(tokenFile, { modelName: 'other', modelVersion: '7.1', modelDigest });
    await writeFile(join(folder, 'other.tsr'), bytes);
    const { code, stderr } = await run('decode', 'other.tsr', '-o', 'out.wav');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^tessera: other\.tsr: [^\n]* \[model_mismatch\]\n$/);
    expect(stderr).toContain(`the model other 7.1 (digest ${modelDigest})`);
    expect(stderr).toContain(model.digest);
  });

  test.each([
    ['a missing file', undefined, 'in2.tsr: there is no such file [file_error]'],
    [
      'an empty file',
      '',
      'in2.tsr: The file is cut off before its header was complete: the rest is missing [truncated_container]',
    ],
    [
      'a text file',
      'hello\n',
      'in2.tsr: This is no .tsr file: its first bytes are not those of one [bad_container]',
    ],
  ])('says what is wrong with %s', async (_, content, message) => {
    if (content !== undefined) await writeFile(join(folder, 'in2.tsr'), content);
    const expected = { code: 1, stderr: `tessera: ${message}\n` };
    expect(await run('decode', 'in2.tsr', '-o', 'out.wav')).toMatchObject(expected);
    expect(await run('inspect', 'in2.tsr')).toMatchObject(expected);
  });

  test('says what is wrong with the output and with the options', async () => {
    expect(await run('decode', 'in.tsr', '-o', 'none/out.wav')).toMatchObject({
      code: 1,
      stderr: 'tessera: none/out.wav: its directory does not exist [file_error]\n',
    });
    expect(await run('decode', 'in.tsr', '-o', 'out.nonsense')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^tessera: out\.nonsense: [^\n]* \[unsupported_audio\]\n$/),
    });
    expect(await run('decode', 'in.tsr', '-o', 'out.wav', '--quantizers', '7')).toMatchObject({
      code: 2,
      stderr: 'tessera: in.tsr: --quantizers is 7, but the file has 6 [bad_options]\n',
    });
    expect(await readdir(folder)).toEqual(['in.tsr']);
  });

  test('leaves nothing when it is interrupted', async () => {
    const child = startCli(['decode', '-', '-o', 'out.wav'], { cwd: folder });
    const end = finished(child);
    child.stdin.write(tokenBytes.subarray(0, tokenBytes.length - 100));
    while ((await readdir(folder)).length === 1) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGTERM');
    expect(await end).toMatchObject({ code: null, signal: 'SIGTERM', stderr: '' });
    expect(await readdir(folder)).toEqual(['in.tsr']);
  });

  test('ends quietly when the reader of its output goes away', async () => {
    const child = startCli(['decode', 'in.tsr', '-o', '-'], { cwd: folder });
    child.stdout.destroy();
    expect(await finished(child)).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('tessera inspect', () => {
  /** Of a list of codes, straight from the definition. */
  const entropyOf = (codes: readonly number[]): number =>
    [...new Set(codes)].reduce((sum, code) => {
      const share = codes.filter((other) => other === code).length / codes.length;
      return sum - share * Math.log2(share);
    }, 0);

  test('prints header, duration, bitrate and entropy as JSON', async () => {
    const { code, stdout, stderr } = await run('inspect', 'in.tsr', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout.toString()) as { codebooks: { entropyBits: number }[] };
    const { samples } = readWavFixture(RECORDING);
    const { sampleRate } = model.manifest;
    const { frameCount } = tokenFile.trailer;
    const frameSeconds = frameCount / model.summary.frameRate;
    expect(report).toMatchObject({
      file: 'in.tsr',
      fileBytes: (await stat(join(folder, 'in.tsr'))).size,
      truncated: false,
      header: { modelDigest: model.digest, sampleRate, quantizers: 6, metadata: { source: RECORDING } },
      durationSeconds: samples.length / sampleRate,
      sampleCount: samples.length,
      frameCount,
      gapFrameCount: 0,
      packetCount: tokenFile.blocks.length,
      bitrate: { codesBitsPerSecond: 3000, fileBitsPerSecond: (8 * tokenBytes.length) / frameSeconds },
    });
    expect(report.codebooks).toHaveLength(6);
    for (const [quantizer, { entropyBits, ...rest }] of report.codebooks.entries()) {
      const codes = tokenFile.blocks.flatMap((block) => [
        ...block.codes.subarray(quantizer * block.frameCount, (quantizer + 1) * block.frameCount),
      ]);
      expect(entropyBits).toBeCloseTo(entropyOf(codes), 9);
      expect(rest).toEqual({ frames: frameCount, codesUsed: new Set(codes).size });
    }
  });

  test('prints the same for people, from a pipe too', async () => {
    const { code, stdout } = await runCli(['inspect', '-'], { input: tokenBytes });
    expect(code).toBe(0);
    const lines = stdout.toString().split('\n');
    expect(lines[0]).toBe(`file         standard input, ${tokenBytes.length} bytes`);
    expect(stdout.toString()).toContain('3.00 kbit/s of codes');
    expect(lines.filter((line) => /^ +\d+ +\d+\.\d{3} +\d+$/.test(line))).toHaveLength(6);
  });

  test('describes a file that is cut off up to the cut', async () => {
    await writeFile(join(folder, 'cut.tsr'), tokenBytes.subarray(0, -1));
    const { code, stdout, stderr } = await run('inspect', 'cut.tsr', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      truncated: true,
      frameCount: tokenFile.trailer.frameCount,
    });
    expect(stderr).toMatch(/^tessera: warning: cut\.tsr: .* \[truncated_container\]\n$/);
  });
});
