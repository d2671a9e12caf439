import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CodecModel,
  decodeTokens,
  encodePcm,
  readAudio,
  resolveModelDirectory,
  scoreSpeech,
} from '../../../codec/index.js';
import { collect, joinSamples } from '../../support/streams.js';
import { fixtureUrl } from '../../support/wavFixture.js';

const RECORDINGS = ['de', 'ja'].map((language) => `speech-${language}-1.wav`);

describe('lite', () => {
  let standard: CodecModel;
  let lite: CodecModel;

  beforeAll(async () => {
    standard = await CodecModel.load({ provider: 'cpu' });
    lite = await CodecModel.load({ model: 'lite', provider: 'cpu' });
  });

  afterAll(async () => {
    await standard.close();
    await lite.close();
  });

  test('is a decoder of under 6 MB for the same codes', async () => {
    const { size } = await stat(join(resolveModelDirectory('lite'), lite.manifest.decoder.file));
    expect(size).toBeLessThan(6e6);
    expect(lite.manifest.encoder.sha256).toBe(standard.manifest.encoder.sha256);
    expect(lite.digest).not.toBe(standard.digest);
  });

  test('and default decode each other’s tokens, and no others', () => {
    expect(lite.decodes(standard.digest)).toBe(true);
    expect(standard.decodes(lite.digest)).toBe(true);
    expect(lite.decodes('0'.repeat(64))).toBe(false);
  });

  test('is within 0.02 STOI of default at 3 kbit/s', async () => {
    const { sampleRate } = standard.manifest;
    const sums = { standard: 0, lite: 0 };
    for (const name of RECORDINGS) {
      const speech = await readAudio(fileURLToPath(fixtureUrl(name)), { sampleRate });
      const blocks = await collect(encodePcm(standard, speech));
      for (const [key, model] of [
        ['standard', standard],
        ['lite', lite],
      ] as const) {
        const pieces = decodeTokens(model, blocks, { quantizers: 6, sampleCount: speech.length });
        sums[key] += scoreSpeech(speech, joinSamples(await collect(pieces)), sampleRate).stoi;
      }
    }
    expect((sums.standard - sums.lite) / RECORDINGS.length).toBeLessThan(0.02);
  });
});
