import { CodecModel, StreamingDecoder, StreamingEncoder } from '../../../codec/index.js';
import { bucketRows, rowBuckets } from '../../../codec/runtime/batchPlan.js';
import { differingCodes } from '../../support/streams.js';
import { readWavFixture } from '../../support/wavFixture.js';

const speech = readWavFixture('speech-en-1.wav').samples.subarray(12_000, 26_400);
let model: CodecModel;

beforeEach(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
});

afterEach(() => model.close());

async function encode(encoder: StreamingEncoder): ReturnType<StreamingEncoder['push']> {
  return encoder.push(speech);
}

test('a slot that was given back carries nothing of its stream into the next', async () => {
  const first = new StreamingEncoder(model);
  const block = await encode(first);
  const decoder = new StreamingDecoder(model);
  const sound = await decoder.push(block!);
  first.close();
  decoder.close();

  const second = new StreamingEncoder(model);
  expect(model.encoderSlots.count).toBe(1);
  const again = await encode(second);
  expect(differingCodes(again!, block!)).toBe(0);
  const secondDecoder = new StreamingDecoder(model);
  expect(model.decoderSlots.count).toBe(1);
  expect(await secondDecoder.push(again!)).toEqual(sound);
});

test('there are never more slots than streams at once, rounded up to a block', () => {
  const open = (count: number): StreamingEncoder[] =>
    Array.from({ length: count }, () => new StreamingEncoder(model));
  for (let round = 0; round < 20; round += 1) for (const each of open(5)) each.close();
  expect(model.encoderSlots.count).toBe(8);
  const many = open(200);
  expect(model.encoderSlots.count).toBe(256);
  expect(model.encoderSlots.used).toBe(200);
  for (const each of many) each.close();
});

test('closing lets the calls before it end, refuses those after it, and counts once', async () => {
  const encoder = new StreamingEncoder(model);
  const pushed = encode(encoder);
  encoder.close();
  encoder.close();
  await expect(encode(encoder)).rejects.toMatchObject({ code: 'bad_state' });
  expect(() => encoder.exportState()).toThrow(expect.objectContaining({ code: 'bad_state' }));
  expect((await pushed)?.frameCount).toBe(30);
  await new Promise((resolve) => setImmediate(resolve));
  expect(model.encoderSlots.used).toBe(0);
  new StreamingEncoder(model);
  expect([model.encoderSlots.used, model.encoderSlots.count]).toEqual([1, 1]);
});

test('runs are of as many rows as streams on the cpu provider, and of few sizes on a GPU', () => {
  const sizes = (provider: 'cpu' | 'cuda'): Set<number> =>
    new Set(Array.from({ length: 256 }, (_, index) => bucketRows(index + 1, provider, 256)));
  expect(sizes('cpu').size).toBe(256);
  expect(rowBuckets('cpu', 256)).toEqual([]);
  // What a worker prepares when it starts is what comes later.
  expect([...sizes('cuda')]).toEqual(rowBuckets('cuda', 256));
  expect(rowBuckets('cuda', 256)).toEqual([8, 64, 128, 192, 256]);
  expect(rowBuckets('cuda', 64)).toEqual([8, 64]);
  expect(bucketRows(5, 'cuda', 6)).toBe(6);
});
