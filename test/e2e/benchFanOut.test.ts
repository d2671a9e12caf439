import { fileURLToPath } from 'node:url';
import { measureFanOut } from '../../scripts/bench/bitrate/fanOut.js';
import { readWavFixture } from '../support/wavFixture.js';

test('subscribers of a real server get all frames, which are encoded once', async () => {
  const { samples, sampleRate } = readWavFixture('speech-de-1.wav');
  const model = fileURLToPath(new URL('../../../codec/model', import.meta.url));
  const load = { subscribers: 5, warmUpMs: 200, durationMs: 1000 };
  const figures = await measureFanOut(model, { speech: samples, sampleRate }, load, 'entropy');
  expect(figures).toMatchObject({ subscribers: 5, publishedFrames: 50, encodedFrames: 50 });
  expect(figures.deliveredShare).toBeGreaterThan(0.8);
  expect(figures.deliveredShare).toBeLessThan(1.2);
  expect(figures.allShare).toBeGreaterThan(0);
});
