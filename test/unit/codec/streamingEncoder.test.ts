import { CodecModel, encodeBatch, StreamingEncoder } from '../../../codec/index.js';
import { joinBlocks } from '../../support/streams.js';
import { readWavFixture } from '../../support/wavFixture.js';

let model: CodecModel;
let speech: Float32Array;
let hop: number;

beforeAll(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
  hop = model.manifest.hop;
  speech = readWavFixture('speech-pt-1.wav').samples;
});

afterAll(() => model.close());

test('samples too small to hear reach the graph as silence: arithmetic on such numbers is slow', async () => {
  const denormal = new Float32Array(model.manifest.hop).fill(1e-39);
  const encoder = new StreamingEncoder(model);
  await encoder.push(denormal);
  const loaded = await model.sharedEncoderBatch.use(1, 1, (batch) =>
    Promise.resolve(batch.pcm.slice(0, denormal.length)),
  );
  expect(loaded).toEqual(new Float32Array(denormal.length));
  encoder.close();
});

test('a block comes when a frame is whole, with all codebooks', async () => {
  const encoder = new StreamingEncoder(model);
  expect(await encoder.push(speech.subarray(0, hop - 1))).toBeUndefined();
  expect(encoder.pendingSamples).toBe(hop - 1);
  expect(await encoder.push(new Float32Array(0))).toBeUndefined();
  const block = await encoder.push(speech.subarray(hop - 1, 3 * hop + 5));
  expect(block).toMatchObject({ firstFrameIndex: 0, frameCount: 3, quantizers: model.manifest.quantizers });
  expect(block!.codes).toHaveLength(3 * model.manifest.quantizers);
  expect(block!.codes.every((code) => code < model.manifest.codebookSize)).toBe(true);
  expect([encoder.frameIndex, encoder.pendingSamples]).toEqual([3, 5]);
});

test.each([Number.NaN, Infinity, -Infinity])(
  '%p among samples is bad_audio, and nothing is taken',
  async (value) => {
    const encoder = new StreamingEncoder(model);
    const neighbour = new StreamingEncoder(model);
    const wrong = speech.slice(0, 2 * hop);
    wrong[hop + 3] = value;
    const good = speech.subarray(0, 2 * hop);
    const refusal = { code: 'bad_audio', message: expect.stringContaining(`Sample ${hop + 3}`) as string };
    await expect(encoder.push(wrong)).rejects.toMatchObject(refusal);
    await expect(
      encodeBatch([
        { encoder: neighbour, pcm: good },
        { encoder, pcm: wrong },
      ]),
    ).rejects.toMatchObject(refusal);
    expect([encoder.frameIndex, neighbour.frameIndex]).toEqual([0, 0]);
    const expected = await new StreamingEncoder(model).push(good);
    expect(await encoder.push(good)).toEqual(expected);
    expect(await neighbour.push(good)).toEqual(expected);
  },
);

test('samples beyond full scale are clipped', async () => {
  const loud = speech.slice(0, 20 * hop).map((sample) => 40 * sample);
  loud[5 * hop] = 3e38;
  const clipped = loud.map((sample) => Math.min(1, Math.max(-1, sample)));
  expect(clipped).not.toEqual(loud);
  expect(await new StreamingEncoder(model).push(loud)).toEqual(
    await new StreamingEncoder(model).push(clipped),
  );
});

test('flush completes what the decoder needs to give back every sample, and no more', async () => {
  const { decoderDelaySamples } = model.manifest;
  for (const length of [
    0,
    1,
    hop - decoderDelaySamples,
    hop,
    10 * hop + 1,
    11 * hop - decoderDelaySamples + 1,
  ]) {
    const encoder = new StreamingEncoder(model);
    await encoder.push(speech.subarray(0, length));
    await encoder.flush();
    const needed = length === 0 ? 0 : Math.ceil((length + decoderDelaySamples) / hop);
    expect([encoder.frameIndex, encoder.pendingSamples]).toEqual([needed, 0]);
    expect(await encoder.flush()).toBeUndefined();
  }
});

test('a stream goes on after a flush as if the silence had been part of it', async () => {
  const encoder = new StreamingEncoder(model);
  const blocks = [await encoder.push(speech.subarray(0, 1000)), await encoder.flush()];
  const padded = new Float32Array(encoder.frameIndex * hop + 5000);
  padded.set(speech.subarray(0, 1000));
  padded.set(speech.subarray(1000, 6000), encoder.frameIndex * hop);
  blocks.push(await encoder.push(speech.subarray(1000, 6000)));
  const whole = await new StreamingEncoder(model).push(padded);
  expect(joinBlocks(blocks).frameCount).toBe(whole!.frameCount);
  expect(joinBlocks(blocks)).toEqual(whole);
});

test('calls that are not waited for take effect in order', async () => {
  const encoder = new StreamingEncoder(model);
  const others = [new StreamingEncoder(model), new StreamingEncoder(model)] as const;
  const calls = [
    encoder.push(speech.subarray(0, 700)),
    others[0].push(speech.subarray(0, 30_000)),
    encoder.push(speech.subarray(700, 900)),
    encodeBatch(
      [others[0], encoder, others[1]].map((one) => ({ encoder: one, pcm: speech.subarray(900, 5000) })),
    ),
    encoder.flush(),
  ] as const;
  const [first, , second, [, third], last] = await Promise.all(calls);
  const alone = new StreamingEncoder(model);
  const whole = [await alone.push(speech.subarray(0, 5000)), await alone.flush()];
  expect(joinBlocks([first, second, third, last])).toEqual(joinBlocks(whole));
  expect(others[1].frameIndex).toBe(Math.floor(4100 / hop));
});

test('a batch refuses one stream twice and streams of different models', async () => {
  const encoder = new StreamingEncoder(model);
  const pcm = speech.subarray(0, hop);
  const twice = [0, 1].map(() => ({ encoder, pcm }));
  await expect(encodeBatch(twice)).rejects.toThrow(RangeError);
  const second = await CodecModel.load({ provider: 'cpu' });
  const mixed = [encoder, new StreamingEncoder(second)].map((one) => ({ encoder: one, pcm }));
  await expect(encodeBatch(mixed)).rejects.toThrow(RangeError);
  await second.close();
  expect(await encodeBatch([])).toEqual([]);
});
