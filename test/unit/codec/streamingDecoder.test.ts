import { CodecModel, decodeBatch, StreamingDecoder, StreamingEncoder } from '../../../codec/index.js';
import { sliceFrames, takeQuantizers, type TokenBlock } from '../../../protocol/tokens.js';
import { joinSamples, power } from '../../support/streams.js';
import { readWavFixture } from '../../support/wavFixture.js';

let model: CodecModel;
let tokens: TokenBlock;
let hop: number;

beforeAll(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
  hop = model.manifest.hop;
  tokens = (await new StreamingEncoder(model).push(readWavFixture('speech-ja-1.wav').samples))!;
});

afterAll(() => model.close());

const frames = (from: number, to: number, quantizers = tokens.quantizers): TokenBlock =>
  takeQuantizers(sliceFrames(tokens, from, to)!, quantizers);

test('blocks of no frames give no samples', async () => {
  const block = { firstFrameIndex: 0, frameCount: 0, quantizers: 2, codes: new Uint16Array(0) };
  expect(await new StreamingDecoder(model).push(block)).toHaveLength(0);
});

describe('a block is refused as bad_tokens, and the stream stays as it was', () => {
  test.each<[string, string, (block: TokenBlock) => TokenBlock]>([
    ['begins too late', 'skip()', (block) => ({ ...block, firstFrameIndex: 12 })],
    ['begins too early', 'begins at frame 9', (block) => ({ ...block, firstFrameIndex: 9 })],
    [
      'has no quantizers',
      'has 0 quantizers',
      (block) => ({ ...block, quantizers: 0, codes: new Uint16Array(0) }),
    ],
    ['has too many', 'quantizers', (block) => ({ ...block, quantizers: tokens.quantizers + 1 })],
    ['has too few codes', 'codes', (block) => ({ ...block, codes: block.codes.subarray(1) })],
    ['has half a frame', 'frames', (block) => ({ ...block, frameCount: 1.5 })],
    [
      'has a code beyond the codebook',
      'outside the codebook',
      (block) => ({
        ...block,
        codes: block.codes.map((code, at) => (at === 3 ? model.manifest.codebookSize : code)),
      }),
    ],
  ])('when it %s', async (_, text, change) => {
    const decoder = new StreamingDecoder(model);
    const neighbour = new StreamingDecoder(model);
    await decoder.push(frames(0, 10));
    const before = decoder.exportState();
    const block = change(frames(10, 12));
    const refusal = { code: 'bad_tokens', message: expect.stringContaining(text) as string };
    await expect(decoder.push(block)).rejects.toMatchObject(refusal);
    await expect(
      decodeBatch([
        { decoder: neighbour, block: frames(0, 2) },
        { decoder, block },
      ]),
    ).rejects.toMatchObject(refusal);
    expect(decoder.exportState()).toEqual(before);
    expect(neighbour.frameIndex).toBe(0);
  });
  test.each([-1, 0.5, Number.NaN, Infinity])('when %p frames are skipped', async (count) => {
    await expect(new StreamingDecoder(model).skip(count)).rejects.toMatchObject({ code: 'bad_tokens' });
  });
});

test('the number of quantizers may change from block to block', async () => {
  const decoder = new StreamingDecoder(model);
  const mixed = joinSamples([
    await decoder.push(frames(0, 40, 2)),
    await decoder.push(frames(40, 80)),
    await decoder.push(frames(80, 120, 1)),
  ]);
  expect(mixed).toHaveLength(120 * hop);
  expect(mixed.every((sample) => Math.abs(sample) <= 1)).toBe(true);
  const constant = await new StreamingDecoder(model).push(frames(0, 120, 2));
  expect(mixed.subarray(0, 40 * hop)).toEqual(constant.subarray(0, 40 * hop));
  expect(mixed.subarray(40 * hop, 42 * hop)).not.toEqual(constant.subarray(40 * hop, 42 * hop));
});

describe('lost frames', () => {
  test('keep their place in time, fade out, and end in silence', async () => {
    const decoder = new StreamingDecoder(model);
    const before = await decoder.push(frames(0, 60));
    const gap = await decoder.skip(20);
    expect(decoder.frameIndex).toBe(80);
    expect(gap).toHaveLength(20 * hop);
    const after = await decoder.push(frames(80, 100));
    expect(after).toHaveLength(20 * hop);
    expect(gap.subarray(5 * hop).every((sample) => sample === 0)).toBe(true);
    expect(gap.subarray(0, hop).some((sample) => sample !== 0)).toBe(true);
    // The decoder's own loudness bounds the gap; nothing is amplified.
    expect(power(gap.subarray(0, hop))).toBeLessThan(
      4 * Math.max(power(before), power(before.subarray(58 * hop))),
    );
    expect(power(gap.subarray(4 * hop, 5 * hop))).toBeLessThan(power(gap.subarray(0, hop)));
  });

  test('are the same in one piece and in several', async () => {
    const whole = new StreamingDecoder(model);
    const pieces = new StreamingDecoder(model);
    await whole.push(frames(0, 60));
    await pieces.push(frames(0, 60));
    const gap = await whole.skip(9);
    const parts = joinSamples([
      await pieces.skip(1),
      await pieces.skip(3),
      await pieces.skip(0),
      await pieces.skip(5),
    ]);
    const difference = gap.map((sample, at) => sample - parts[at]!);
    expect(power(difference)).toBeLessThan(1e-6 * power(gap));
  });

  test('that a stream begins with are silence', async () => {
    const decoder = new StreamingDecoder(model);
    expect((await decoder.skip(7)).every((sample) => sample === 0)).toBe(true);
    const late = await decoder.push(frames(7, 30));
    expect(late).toEqual(await new StreamingDecoder(model).push({ ...frames(7, 30), firstFrameIndex: 0 }));
  });

  test('of a short gap are followed by sound without a jump', async () => {
    const decoder = new StreamingDecoder(model);
    await decoder.push(frames(0, 60));
    const gap = await decoder.skip(2);
    const after = await decoder.push(frames(62, 100));
    const steps = (pcm: Float32Array): number =>
      pcm.reduce(
        (most, sample, at) => (at === 0 ? most : Math.max(most, Math.abs(sample - pcm[at - 1]!))),
        0,
      );
    const whole = await new StreamingDecoder(model).push(frames(0, 100));
    const around = joinSamples([gap.subarray(-hop), after.subarray(0, hop)]);
    expect(steps(around)).toBeLessThan(2 * steps(whole));
    expect(decoder.frameIndex).toBe(100);
  });

  test('can be batched with frames of other streams', async () => {
    const make = async () => {
      const decoder = new StreamingDecoder(model);
      await decoder.push(frames(0, 20));
      return decoder;
    };
    const [one, two, alone] = [await make(), await make(), await make()];
    const [gap, sound] = await decodeBatch([
      { decoder: one, lostFrames: 3 },
      { decoder: two, block: frames(20, 25) },
    ]);
    const difference = (await alone.skip(3)).map((sample, at) => sample - gap![at]!);
    expect(power(difference)).toBeLessThan(1e-6 * power(gap!));
    expect(sound).toHaveLength(5 * hop);
    expect([one.frameIndex, two.frameIndex]).toEqual([23, 25]);
  });
});

test('calls that are not waited for take effect in order', async () => {
  const decoder = new StreamingDecoder(model);
  const pieces = await Promise.all([
    decoder.push(frames(0, 3)),
    decoder.push(frames(3, 50)),
    decoder.skip(2),
    decoder.push(frames(52, 53)),
  ]);
  expect(pieces.map(({ length }) => length / hop)).toEqual([3, 47, 2, 1]);
  expect(decoder.frameIndex).toBe(53);
});
