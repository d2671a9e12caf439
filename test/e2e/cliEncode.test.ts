import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodecModel, encodePcm, type EncodeTotals } from '../../codec/index.js';
import type { TokenBlock } from '../../protocol/index.js';
import { finished, runCli, startCli } from '../support/runCli.js';
import { codebooksOf, readTokenFile } from '../support/tokenFile.js';
import { fixtureUrl, readWavFixture } from '../support/wavFixture.js';

const fixture = (name: string): string => fileURLToPath(fixtureUrl(name));
const ENGLISH = fixture('speech-en-1.wav');

let folder: string;
let model: CodecModel;

beforeAll(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
});
afterAll(() => model.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What the library makes of a fixture's samples, which are read without Tessera's own reader. */
async function encodeInLibrary(
  name: string,
  quantizers?: number,
): Promise<{ blocks: TokenBlock[]; totals: EncodeTotals }> {
  const { samples } = readWavFixture(name);
  const encoded = encodePcm(model, samples, quantizers === undefined ? {} : { quantizers });
  const blocks: TokenBlock[] = [];
  for await (const block of encoded) blocks.push(block);
  return { blocks, totals: encoded.totals };
}

const listing = async (path: string): Promise<string[]> =>
  (await readdir(path, { recursive: true })).map((name) => name.replaceAll('\\', '/')).sort();

describe('tessera encode', () => {
  test('writes the codes that the library gives, with the recording described in the header', async () => {
    const path = join(folder, 'speech.tsr');
    const { code, stdout, stderr } = await runCli(['encode', ENGLISH, '-o', path, '--quantizers', '12']);
    expect({ code, stderr, stdout: stdout.length }).toEqual({ code: 0, stderr: '', stdout: 0 });

    const file = readTokenFile(await readFile(path));
    const { blocks, totals } = await encodeInLibrary('speech-en-1.wav', 12);
    expect(codebooksOf(file.blocks)).toEqual(codebooksOf(blocks));
    expect(file.trailer).toMatchObject({
      sampleCount: readWavFixture('speech-en-1.wav').samples.length,
      frameCount: totals.frameCount,
    });
    expect(file.header).toMatchObject({
      modelName: model.manifest.name,
      modelDigest: model.digest,
      quantizers: 12,
      sampleRate: model.manifest.sampleRate,
      metadata: { source: 'speech-en-1.wav', container: 'wav', codec: 'pcm_s16', channels: '1' },
    });
    expect(await listing(folder)).toEqual(['speech.tsr']);
  });

  test('keeps as many codebooks as fit the bitrate, 3 kbit/s where none is given', async () => {
    const { blocks } = await encodeInLibrary('speech-th-1.wav');
    for (const [options, quantizers] of [
      [[], 6],
      [['--kbps', '3'], 6],
      [['--kbps', '1.99'], 3],
      [['--kbps', '100'], model.manifest.quantizers],
    ] as const) {
      const { stdout } = await runCli(['encode', fixture('speech-th-1.wav'), '-o', '-', ...options]);
      const file = readTokenFile(stdout);
      expect(file.header.quantizers).toBe(quantizers);
      expect(codebooksOf(file.blocks)).toEqual(codebooksOf(blocks).slice(0, quantizers));
    }
  });

  test('gives the same codes from a pipe to a pipe', async () => {
    const input = await readFile(ENGLISH);
    const { code, stdout, stderr } = await runCli(['encode', '-', '-o', '-'], { input });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { blocks } = await encodeInLibrary('speech-en-1.wav', 6);
    expect(codebooksOf(readTokenFile(stdout).blocks)).toEqual(codebooksOf(blocks));
  });

  test('reads what ffmpeg reads', async () => {
    const path = join(folder, 'speech.tsr');
    const { code } = await runCli(['encode', fixture('speech-en-1.opus'), '-o', path]);
    expect(code).toBe(0);
    const { header, trailer } = readTokenFile(await readFile(path));
    expect(header.metadata).toMatchObject({ container: 'ogg', codec: 'opus', sampleRate: '48000' });
    const seconds = (trailer.sampleCount ?? 0) / header.sampleRate;
    expect(seconds).toBeCloseTo(5.06, 1);
  });

  test('writes .npy as a uint16 array of [quantizers, frames] in C order', async () => {
    const path = join(folder, 'speech.npy');
    expect(await runCli(['encode', ENGLISH, '-o', path, '--quantizers', '4'])).toMatchObject({ code: 0 });
    const bytes = await readFile(path);
    expect(bytes.subarray(0, 8)).toEqual(Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]));
    const dataOffset = 10 + bytes.readUInt16LE(8);
    expect(dataOffset % 64).toBe(0);
    const header = bytes.toString('latin1', 10, dataOffset);
    const match = /^\{'descr': '<u2', 'fortran_order': False, 'shape': \((\d+), (\d+)\), \} *\n$/.exec(
      header,
    );
    const [quantizers, frames] = [Number(match?.[1]), Number(match?.[2])];
    expect(bytes.length - dataOffset).toBe(2 * quantizers * frames);
    const rows = Array.from({ length: quantizers }, (_, row) =>
      Array.from({ length: frames }, (__, frame) =>
        bytes.readUInt16LE(dataOffset + 2 * (row * frames + frame)),
      ),
    );
    expect(rows).toEqual(codebooksOf((await encodeInLibrary('speech-en-1.wav', 4)).blocks));
  });

  test('writes .jsonl with one recording a line', async () => {
    const path = join(folder, 'train.jsonl');
    const names = ['speech-de-1.wav', 'speech-ja-1.wav'];
    const inputs = names.map(fixture);
    expect(await runCli(['encode', ...inputs, '-o', path, '--quantizers', '2'])).toMatchObject({ code: 0 });
    const lines = (await readFile(path, 'utf8')).split('\n');
    expect(lines.pop()).toBe('');
    expect(lines).toHaveLength(names.length);
    for (const [index, name] of names.entries()) {
      const { blocks, totals } = await encodeInLibrary(name, 2);
      expect(JSON.parse(lines[index] ?? '')).toMatchObject({
        id: name.replace('.wav', ''),
        source: name,
        sampleCount: totals.sampleCount,
        durationSeconds: totals.sampleCount / model.manifest.sampleRate,
        frameRate: model.summary.frameRate,
        frameCount: totals.frameCount,
        quantizers: 2,
        codebookSize: model.manifest.codebookSize,
        model: { digest: model.digest },
        codes: codebooksOf(blocks),
      });
    }
  });

  test('mirrors a directory, keeps equal names apart, and goes on past files that fail', async () => {
    const corpus = join(folder, 'corpus');
    await mkdir(join(corpus, 'a', 'deep'), { recursive: true });
    await symlink(fixture('speech-th-1.wav'), join(corpus, 'a', 'deep', 'one.wav'));
    await symlink(ENGLISH, join(corpus, 'two.wav'));
    await symlink(fixture('speech-en-1.opus'), join(corpus, 'two.opus'));
    await writeFile(join(corpus, 'notes.txt'), 'no recording');
    await writeFile(join(corpus, 'broken.wav'), 'RIFF');
    // A loop of links must not be followed for ever.
    await symlink(corpus, join(corpus, 'a', 'loop'));

    const out = join(folder, 'new', 'out');
    const { code, stderr } = await runCli(['encode', corpus, '-o', out, '--kbps', '0.5']);
    expect(code).toBe(1);
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/^tessera: \S*broken\.wav: .* \[(bad|unsupported)_audio\]$/),
      'tessera: 1 of 4 inputs failed',
      '',
    ]);
    expect(await listing(out)).toEqual(['a', 'a/deep', 'a/deep/one.tsr', 'two.opus.tsr', 'two.wav.tsr']);
    const one = readTokenFile(await readFile(join(out, 'a', 'deep', 'one.tsr')));
    expect(one.header.metadata['source']).toBe('a/deep/one.wav');
    expect(codebooksOf(one.blocks)).toEqual(
      codebooksOf((await encodeInLibrary('speech-th-1.wav', 1)).blocks),
    );
  });

  test('leaves the lines of good recordings when others fail', async () => {
    const inputs = [join(folder, 'missing.wav'), fixture('speech-th-1.wav'), fixture('README.md')];
    const { code, stdout, stderr } = await runCli(['encode', ...inputs, '-o', '-', '--format', 'jsonl']);
    expect(code).toBe(1);
    expect(
      stdout
        .toString()
        .split('\n')
        .map((line) => line.slice(0, 19)),
    ).toEqual(['{"id":"speech-th-1"', '']);
    expect(stderr).toMatch(
      /missing\.wav: there is no such file \[file_error\]\n.*README\.md: .*\[unsupported_audio\]/,
    );
  });

  test('keeps what stood under the output name when the recording fails', async () => {
    const output = join(folder, 'speech.tsr');
    const input = join(folder, 'cut.wav');
    await writeFile(output, 'old');
    const whole = await readFile(ENGLISH);
    await writeFile(input, whole.subarray(0, whole.length / 2));
    const { code, stderr } = await runCli(['encode', input, '-o', output]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^tessera: \S*cut\.wav: .* \[bad_audio\]\n$/);
    expect(await readFile(output, 'utf8')).toBe('old');
    expect(await listing(folder)).toEqual(['cut.wav', 'speech.tsr']);
  });

  test('leaves nothing when it is interrupted', async () => {
    const child = startCli(['encode', '-', '-o', join(folder, 'speech.npy')]);
    const end = finished(child);
    const wav = await readFile(ENGLISH);
    child.stdin.write(wav.subarray(0, wav.length - 1000));
    // The unfinished file says that encoding has begun.
    while ((await listing(folder)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    expect(await end).toMatchObject({ code: null, signal: 'SIGINT', stderr: '' });
    expect(await listing(folder)).toEqual([]);
  });

  test('ends quietly when the reader of its output goes away', async () => {
    const child = startCli(['encode', ENGLISH, '-o', '-', '--format', 'jsonl']);
    child.stdout.destroy();
    expect(await finished(child)).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('tessera encode on bad input', () => {
  const wavHeader = (channels: number, dataBytes: number): Buffer => {
    const header = Buffer.alloc(44);
    header.write('RIFF', 0, 'latin1');
    header.writeUInt32LE(36 + dataBytes, 4);
    header.write('WAVEfmt ', 8, 'latin1');
    header.writeUInt32LE(16, 16);
    header.writeUInt16LE(1, 20);
    header.writeUInt16LE(channels, 22);
    header.writeUInt32LE(24_000, 24);
    header.writeUInt32LE(48_000 * channels, 28);
    header.writeUInt16LE(2 * channels, 32);
    header.writeUInt16LE(16, 34);
    header.write('data', 36, 'latin1');
    header.writeUInt32LE(dataBytes, 40);
    return header;
  };

  const withNaN = (): Buffer => {
    const bytes = Buffer.concat([wavHeader(1, 9600), Buffer.alloc(9600)]);
    // 32-bit floats.
    bytes.writeUInt16LE(3, 20);
    bytes.writeUInt32LE(96_000, 28);
    bytes.writeUInt16LE(4, 32);
    bytes.writeUInt16LE(32, 34);
    bytes.writeFloatLE(NaN, 4044);
    return bytes;
  };

  test.each([
    ['a WAV file with a NaN sample', withNaN(), 'bad_audio'],
    ['an empty file', Buffer.alloc(0), 'bad_audio'],
    ['a WAV file cut off in its header', wavHeader(1, 100).subarray(0, 30), 'bad_audio'],
    [
      'a WAV file cut off in its samples',
      Buffer.concat([wavHeader(1, 9600), Buffer.alloc(4000)]),
      'bad_audio',
    ],
    ['a WAV file without samples', wavHeader(1, 0), 'bad_audio'],
    ['a WAV file of 0 channels', Buffer.concat([wavHeader(0, 9600), Buffer.alloc(9600)]), 'bad_audio'],
    ['a text file', Buffer.from('To be, or not to be\n'.repeat(100)), 'unsupported_audio'],
  ])('says what is wrong with %s', async (_, bytes, errorCode) => {
    const input = join(folder, 'input.wav');
    await writeFile(input, bytes);
    const { code, stdout, stderr } = await runCli(['encode', input, '-o', join(folder, 'out.tsr')]);
    expect({ code, stdout: stdout.length }).toEqual({ code: 1, stdout: 0 });
    expect(stderr).toMatch(new RegExp(`^tessera: ${input}: [^\\n]+ \\[${errorCode}\\]\\n$`));
    expect(await listing(folder)).toEqual(['input.wav']);
  });

  test('says that a file is missing, a directory empty, standard input not audio', async () => {
    const out = join(folder, 'out');
    expect((await runCli(['encode', 'none.wav', '-o', out], { cwd: folder })).stderr).toBe(
      'tessera: none.wav: there is no such file [file_error]\n',
    );
    await mkdir(join(folder, 'empty'));
    expect((await runCli(['encode', 'empty', '-o', out], { cwd: folder })).stderr).toBe(
      'tessera: empty: it holds no recordings [file_error]\n',
    );
    expect(await runCli(['encode', '-', '-o', out])).toMatchObject({
      code: 1,
      stderr: 'tessera: standard input: it is empty [bad_audio]\n',
    });
  });

  test('says why the output cannot be written', async () => {
    const missing = join(folder, 'missing', 'out.tsr');
    expect(await runCli(['encode', ENGLISH, '-o', missing])).toMatchObject({
      code: 1,
      stderr: `tessera: ${ENGLISH}: ${missing}: its directory does not exist [file_error]\n`,
    });
    await writeFile(join(folder, 'file'), '');
    const below = join(folder, 'file', 'out.tsr');
    expect(await runCli(['encode', ENGLISH, '-o', below])).toMatchObject({
      code: 1,
      stderr: `tessera: ${ENGLISH}: ${below}: a part of its path is not a directory [file_error]\n`,
    });
  });

  test('refuses a model whose file was changed, or whose manifest is missing', async () => {
    const source = fileURLToPath(new URL('../../../codec/model/', import.meta.url));
    for (const name of ['manifest.json', 'encoder.onnx', 'decoder.onnx']) {
      const bytes = await readFile(join(source, name));
      if (name === 'decoder.onnx') bytes[bytes.length >>> 1]! ^= 1;
      await writeFile(join(folder, name), bytes);
    }
    const args = ['encode', ENGLISH, '-o', join(folder, 'out.tsr'), '--model'];
    expect(await runCli([...args, folder])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^tessera: [^\n]*decoder\.onnx[^\n]* \[model_tampered\]\n$/),
    });
    expect(await runCli([...args, join(folder, 'none')])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^tessera: [^\n]*manifest\.json[^\n]* \[bad_manifest\]\n$/),
    });
    expect(await listing(folder)).not.toContain('out.tsr');
  });
});
