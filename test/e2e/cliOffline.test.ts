import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadManifest, readAudio } from '../../codec/index.js';
import { runCli } from '../support/runCli.js';
import { fixtureUrl } from '../support/wavFixture.js';

const MODEL = fileURLToPath(fixtureUrl('languagecodec-tiny'));

describe('a model that is not causal', () => {
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'tessera-offline-'));
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  test('encodes and decodes files and pipes', async () => {
    const recording = fileURLToPath(fixtureUrl('speech-de-1.wav'));
    const [file, sound, piped] = ['a.tsr', 'a.wav', 'b.wav'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    expect(await runCli(['encode', recording, '-o', file, '--model', MODEL])).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(await runCli(['decode', file, '-o', sound, '--model', MODEL])).toMatchObject({
      code: 0,
      stderr: '',
    });
    const { sampleRate } = await loadManifest(MODEL);
    const input = await readAudio(recording, { sampleRate });
    expect((await readAudio(sound, { sampleRate })).length).toBe(input.length);

    const { stdout } = await runCli(['encode', '-', '-o', '-', '--model', MODEL], {
      input: await readFile(recording),
    });
    expect(await runCli(['decode', '-', '-o', piped, '--model', MODEL], { input: stdout })).toMatchObject({
      code: 0,
    });
    expect(await readFile(piped)).toEqual(await readFile(sound));
  });

  test('is not served: it has no live sessions', async () => {
    expect(
      await runCli(['serve', '--model', MODEL, '--port', '0', '--provider', 'cpu', '--log', 'silent']),
    ).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^tessera: [^\n]*language-codec-tiny[^\n]* \[not_streaming\]\n$/,
      ) as string,
    });
  });
});
