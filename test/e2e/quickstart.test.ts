import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodecModel, decodeTokens, readAudio, scoreSpeech } from '../../codec/index.js';
import { finished } from '../support/runCli.js';
import { readTokenFile } from '../support/tokenFile.js';
import { readWavFixture } from '../support/wavFixture.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SCRIPT = fileURLToPath(new URL('../../scripts/quickstart.js', import.meta.url));
const BITRATES = ['1.5', '3', '6'];

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const start = (...args: string[]): ChildProcessWithoutNullStreams =>
  spawn(process.execPath, [SCRIPT, ...args], { cwd: folder });

/** The table's rows, cell by cell, without the heads. */
function rowsOf(output: string): string[][] {
  const rows = output.split('\n').filter((line) => /^ *[\d.]+ kbit\/s {2}/.test(line));
  return rows.map((row) => row.trim().split(/ {2,}/));
}

describe('the quickstart', () => {
  test('prints true figures for the files that it writes', async () => {
    const { code, stdout, stderr } = await finished(start('--no-serve'));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect((await readdir(join(folder, 'out'))).sort()).toEqual(
      [
        'original.wav',
        ...BITRATES.flatMap((kbps) => [`speech-${kbps}kbps.tsr`, `speech-${kbps}kbps.wav`]),
      ].sort(),
    );
    const { samples: original, sampleRate } = readWavFixture('speech-en-1.wav');
    const seconds = original.length / sampleRate;
    const rows = rowsOf(stdout.toString());
    expect(rows.map(([bitrate]) => bitrate)).toEqual(BITRATES.map((kbps) => `${kbps} kbit/s`));

    const scores = [];
    for (const [index, kbps] of BITRATES.entries()) {
      const file = await readFile(join(folder, 'out', `speech-${kbps}kbps.tsr`));
      const speech = await readAudio(join(folder, 'out', `speech-${kbps}kbps.wav`), { sampleRate });
      expect(speech).toHaveLength(original.length);
      const score = scoreSpeech(original, speech, sampleRate);
      scores.push(score);
      const [, bytes, withHeaders, ratio, stoi, logMel, correlation] = rows[index] ?? [];
      expect(bytes).toBe(`${file.length} bytes`);
      expect(withHeaders).toBe(`${((8 * file.length) / seconds / 1000).toFixed(2)} kbit/s`);
      expect(ratio).toBe(`${((2 * original.length) / file.length).toFixed(0)} : 1`);
      // The table's scores are from before the rounding to 16 bits.
      expect(Number(stoi)).toBeCloseTo(score.stoi, 2);
      expect(Number(logMel)).toBeCloseTo(score.logMelDistance, 1);
      expect(Number(correlation)).toBeCloseTo(score.waveformCorrelation, 2);
    }

    for (const [index, better] of scores.entries()) {
      const coarser = scores[index - 1];
      if (coarser === undefined) continue;
      expect(better.stoi).toBeGreaterThan(coarser.stoi);
      expect(better.logMelDistance).toBeLessThan(coarser.logMelDistance);
      expect(better.waveformCorrelation).toBeGreaterThan(coarser.waveformCorrelation);
    }
  });

  test('writes tokens that decode to the sound beside them', async () => {
    expect(await finished(start('--no-serve'))).toMatchObject({ code: 0 });
    const { blocks, trailer } = readTokenFile(await readFile(join(folder, 'out', 'speech-3kbps.tsr')));
    const model = await CodecModel.load({ provider: 'cpu' });
    const pieces: Float32Array[] = [];
    const options = trailer.sampleCount === undefined ? {} : { sampleCount: trailer.sampleCount };
    for await (const pcm of decodeTokens(model, blocks, options)) pieces.push(pcm);
    await model.close();
    const decoded = pieces.flatMap((pcm) => [...pcm]);
    const written = await readAudio(join(folder, 'out', 'speech-3kbps.wav'), { sampleRate: 24_000 });
    expect(written).toHaveLength(decoded.length);
    expect(written.every((sample, at) => Math.abs(sample - decoded[at]!) <= 1 / 32_768)).toBe(true);
  });

  test('serves, and what it tells people to try works', async () => {
    const child = start('--port', '0');
    const end = finished(child);
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (bytes: Buffer) => {
        output += bytes.toString();
        if (output.endsWith("});'\n")) resolve();
      });
      void end.then(({ stderr }) => reject(new Error(`it ended: ${stderr}`)));
    });
    const url = /http:\/\/127\.0\.0\.1:\d+\/healthz/.exec(output)?.[0] ?? '';
    expect(await (await fetch(url)).json()).toMatchObject({ status: 'ok' });

    const snippet = output.slice(output.indexOf('node -e'));
    const { code, stdout } = await finished(spawn('bash', ['-c', snippet], { cwd: ROOT }));
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(/^opened\n(tokens: \d+ bytes\n)+flushed\nclosed\n$/);

    child.kill('SIGTERM');
    expect(await end).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  test('says that the port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const { code, stdout, stderr } = await finished(start('--port', String(port)));
    other.close();
    expect(code).toBe(1);
    expect(rowsOf(stdout.toString())).toHaveLength(BITRATES.length);
    expect(stderr).toBe(
      `tessera: 127.0.0.1:${port}: another program listens there already: stop it, or choose another --port [listen_failed]\n`,
    );
  });
});
