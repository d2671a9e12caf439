import {
  CodecModel,
  decodeTokens,
  encodePcm,
  readAudio,
  scoreSpeech,
  type SpeechScores,
} from '../../../codec/index.js';
import { collect, joinSamples } from '../../support/streams.js';
import { fixtureUrl } from '../../support/wavFixture.js';
import { fileURLToPath } from 'node:url';

/** Speakers and languages that the model was never trained on. */
const RECORDINGS = ['en', 'de', 'it', 'ja', 'pt', 'th'].map((language) => `speech-${language}-1.wav`);
const DEPTHS = [1, 3, 6, 16];

describe('the shipped model on speech it never heard', () => {
  const means = new Map<number, SpeechScores>();

  beforeAll(async () => {
    const model = await CodecModel.load({ provider: 'cpu' });
    const { sampleRate } = model.manifest;
    const byDepth = new Map<number, SpeechScores[]>(DEPTHS.map((depth) => [depth, []]));
    for (const name of RECORDINGS) {
      const speech = await readAudio(fileURLToPath(fixtureUrl(name)), { sampleRate });
      const blocks = await collect(encodePcm(model, speech));
      for (const quantizers of DEPTHS) {
        const options = { quantizers, sampleCount: speech.length };
        const decoded = joinSamples(await collect(decodeTokens(model, blocks, options)));
        expect(decoded).toHaveLength(speech.length);
        byDepth.get(quantizers)!.push(scoreSpeech(speech, decoded, sampleRate));
      }
    }
    await model.close();
    for (const [depth, scores] of byDepth) {
      const mean = (key: keyof SpeechScores): number =>
        scores.reduce((sum, score) => sum + score[key], 0) / scores.length;
      const keys = Object.keys(scores[0]!) as (keyof SpeechScores)[];
      means.set(depth, Object.fromEntries(keys.map((key) => [key, mean(key)])) as unknown as SpeechScores);
    }
  }, 240_000);

  test('is understood at 3 kbit/s', () => {
    expect(means.get(6)!.stoi).toBeGreaterThan(0.88);
    expect(means.get(6)!.logMelDistance).toBeLessThan(0.25);
  });

  test('keeps the waveform at full rate', () => {
    expect(means.get(16)!.waveformCorrelation).toBeGreaterThan(0.9);
  });

  test.each([
    [1, 3],
    [3, 6],
    [6, 16],
  ])('gets better from %i to %i codebooks', (fewer, more) => {
    const [coarse, fine] = [means.get(fewer)!, means.get(more)!];
    expect(fine.stoi).toBeGreaterThan(coarse.stoi);
    expect(fine.extendedStoi).toBeGreaterThan(coarse.extendedStoi);
    expect(fine.logMelDistance).toBeLessThan(coarse.logMelDistance);
    expect(fine.waveformCorrelation).toBeGreaterThan(coarse.waveformCorrelation);
  });
});
