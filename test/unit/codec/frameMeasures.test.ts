import { CodecModel, encodeBatch, StreamingEncoder, type EncodedBlock } from '../../../codec/index.js';
import { readWavFixture } from '../../support/wavFixture.js';

let model: CodecModel;
let speech: Float32Array;

beforeAll(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
  speech = readWavFixture('speech-en-1.wav').samples;
});

afterAll(() => model.close());

function measuring(): StreamingEncoder {
  const encoder = new StreamingEncoder(model);
  encoder.isMeasuring = true;
  return encoder;
}

/** Values of a [rows, frames] array at one frame. */
function column(values: Float32Array, frameCount: number, frame: number): number[] {
  return Array.from(values.filter((_, at) => at % frameCount === frame));
}

test('levels are the mean squares of the frames', async () => {
  const { hop } = model.manifest;
  const tone = Float32Array.from({ length: 4 * hop }, (_, at) =>
    at < 2 * hop ? 0 : at % 2 === 0 ? 0.5 : -0.5,
  );
  const block = await measuring().push(tone);
  expect(block!.measures!.levels).toEqual(Float32Array.of(0, 0, 0.25, 0.25));
});

test('each codebook leaves less of speech, and every residual is a positive number', async () => {
  const block = (await measuring().push(speech))!;
  const { frameCount, quantizers } = block;
  const residuals = block.measures!.residuals!;
  expect(residuals).toHaveLength(quantizers * frameCount);
  expect(residuals.every((energy) => energy > 0 && Number.isFinite(energy))).toBe(true);
  const means = Array.from({ length: quantizers }, (_, quantizer) => {
    const row = residuals.subarray(quantizer * frameCount, (quantizer + 1) * frameCount);
    return row.reduce((sum, energy) => sum + energy, 0) / frameCount;
  });
  expect(means).toEqual([...means].sort((a, b) => b - a));
  // A reference of about the energy of a latent: the residuals of a few codebooks are within a factor of ten of it.
  expect(means[0]).toBeLessThan(10);
  expect(means[0]).toBeGreaterThan(0.1);
});

test('measures do not depend on how the stream is cut or batched', async () => {
  const whole = (await measuring().push(speech))!;
  const encoder = measuring();
  const other = new StreamingEncoder(model);
  let frame = 0;
  for (let at = 0; at < speech.length; at += 1300) {
    const pcm = speech.subarray(at, at + 1300);
    const [block, plain] = (await encodeBatch([
      { encoder, pcm },
      { encoder: other, pcm },
    ])) as [EncodedBlock | undefined, EncodedBlock | undefined];
    expect(plain?.measures).toBeUndefined();
    if (!block) continue;
    for (let own = 0; own < block.frameCount; own += 1, frame += 1) {
      expect(block.measures!.levels[own]).toBe(whole.measures!.levels[frame]);
      const expected = column(whole.measures!.residuals!, whole.frameCount, frame);
      const actual = column(block.measures!.residuals!, block.frameCount, own);
      actual.forEach((energy, quantizer) => expect(energy / expected[quantizer]!).toBeCloseTo(1, 2));
    }
  }
  expect(frame).toBe(whole.frameCount);
});
