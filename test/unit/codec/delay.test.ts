import { CodecModel, delayMs, StreamingDecoder, StreamingEncoder } from '../../../codec/index.js';
import { joinSamples } from '../../support/streams.js';
import { readWavFixture } from '../../support/wavFixture.js';

let model: CodecModel;
let speech: Float32Array;
let other: Float32Array;

beforeAll(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
  speech = readWavFixture('speech-en-1.wav').samples.subarray(30_000, 60_000);
  other = readWavFixture('speech-de-1.wav').samples.subarray(30_000, 60_000);
});

afterAll(() => model.close());

/** Output for the input so far, the decoder's lag cut off: sample t of it stands for sample t of the input. */
async function resynthesize(pcm: Float32Array): Promise<Float32Array> {
  const encoder = new StreamingEncoder(model);
  const decoder = new StreamingDecoder(model);
  const pieces: Float32Array[] = [];
  for (let start = 0; start < pcm.length; start += model.manifest.hop) {
    const block = await encoder.push(pcm.subarray(start, start + model.manifest.hop));
    if (block) pieces.push(await decoder.push(block));
  }
  return joinSamples(pieces).subarray(model.manifest.decoderDelaySamples);
}

test('the delay is 35 ms at most', () => {
  expect(delayMs(model.manifest)).toBeLessThanOrEqual(35);
});

test('output depends on no input later than the stated delay', async () => {
  const { hop, delaySamples } = model.manifest;
  const before = await resynthesize(speech);
  // First, middle and last sample of a frame: the last one reaches back farthest.
  for (const change of [20 * hop, 20 * hop + Math.floor(hop / 2), 21 * hop - 1]) {
    const changed = speech.slice();
    changed.set(other.subarray(change), change);
    changed[change] = changed[change]! > 0 ? -1 : 1;
    const after = await resynthesize(changed);
    const first = after.findIndex((sample, at) => sample !== before[at]);
    expect(first).toBeGreaterThanOrEqual(0);
    expect(change - first).toBeLessThan(delaySamples);
    expect(first - change).toBeLessThan(hop);
  }
});

test('every sample has its output once the stated delay has passed', async () => {
  const { hop, delaySamples } = model.manifest;
  for (let sample = 10 * hop; sample < 11 * hop; sample += 1 + Math.floor(hop / 13)) {
    const output = await resynthesize(speech.subarray(0, sample + delaySamples));
    expect(output.length).toBeGreaterThan(sample);
  }
});
