import {
  CodecModel,
  decodeTokens,
  decodeWhole,
  encodePcm,
  StreamingDecoder,
  StreamingEncoder,
} from '../../../codec/index.js';
import { sliceFrames, type TokenBlock } from '../../../protocol/tokens.js';
import {
  collect,
  cutSamples,
  differenceDb,
  differingCodes,
  joinBlocks,
  joinSamples,
} from '../../support/streams.js';
import { readWavFixture } from '../../support/wavFixture.js';

let model: CodecModel;
let speech: Float32Array;
let tokens: TokenBlock;

beforeAll(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
  speech = readWavFixture('speech-th-1.wav').samples;
  tokens = joinBlocks(await collect(encodePcm(model, speech)));
});

afterAll(() => model.close());

async function* pieces(pcm: Float32Array, length: number): AsyncGenerator<Float32Array> {
  yield* cutSamples(pcm, () => length);
}

test('an array, a stream of pieces and the streaming encoder give the same codes', async () => {
  const encoded = encodePcm(model, pieces(speech, 777));
  expect(differingCodes(tokens, joinBlocks(await collect(encoded)))).toBeLessThan(0.001);
  expect(encoded.totals).toEqual({ sampleCount: speech.length, frameCount: tokens.frameCount });
  const encoder = new StreamingEncoder(model);
  const live = joinBlocks([await encoder.push(speech), await encoder.flush()]);
  expect(differingCodes(tokens, live)).toBeLessThan(0.001);
});

test('decoding gives back as many samples, aligned: the decoder lag is cut off', async () => {
  const { decoderDelaySamples } = model.manifest;
  for (const length of [1, 100, 479, 480, 481, 5000, speech.length]) {
    const encoded = encodePcm(model, speech.subarray(0, length));
    const blocks = await collect(encoded);
    const sound = joinSamples(
      await collect(decodeTokens(model, blocks, { sampleCount: encoded.totals.sampleCount })),
    );
    expect(sound).toHaveLength(length);
    const raw = await new StreamingDecoder(model).push(joinBlocks(blocks));
    expect(differenceDb(raw.slice(decoderDelaySamples, decoderDelaySamples + length), sound)).toBeLessThan(
      -60,
    );
  }
});

test('into one array: with silence where the tokens end early', async () => {
  const pieces = await collect(decodeTokens(model, [tokens], { sampleCount: speech.length }));
  expect(await decodeWhole(model, [tokens], speech.length)).toEqual(joinSamples(pieces));
  const cut = sliceFrames(tokens, 0, 30)!;
  const sound = await decodeWhole(model, [cut], speech.length);
  expect(sound).toHaveLength(speech.length);
  expect(sound.subarray(0, 20_000).some((sample) => sample !== 0)).toBe(true);
  expect(sound.subarray(30 * model.manifest.hop).every((sample) => sample === 0)).toBe(true);
});

test('nothing in, nothing out', async () => {
  const encoded = encodePcm(model, new Float32Array(0));
  expect(await collect(encoded)).toEqual([]);
  expect(encoded.totals).toEqual({ sampleCount: 0, frameCount: 0 });
  expect(await collect(decodeTokens(model, [], { sampleCount: 0 }))).toEqual([]);
});

test('without a length the sound is what the tokens hold', async () => {
  const sound = joinSamples(await collect(decodeTokens(model, [tokens])));
  expect(sound).toHaveLength(tokens.frameCount * model.manifest.hop - model.manifest.decoderDelaySamples);
});

test('tokens that end early give the sound up to there', async () => {
  const cut = sliceFrames(tokens, 0, 30)!;
  const sound = joinSamples(await collect(decodeTokens(model, [cut], { sampleCount: speech.length })));
  expect(sound).toHaveLength(30 * model.manifest.hop - model.manifest.decoderDelaySamples);
});

test('fewer quantizers when encoding or when decoding are the same', async () => {
  const few = joinBlocks(await collect(encodePcm(model, speech, { quantizers: 2 })));
  expect(few.quantizers).toBe(2);
  expect(few.codes).toEqual(tokens.codes.slice(0, 2 * tokens.frameCount));
  const one = joinSamples(await collect(decodeTokens(model, [few])));
  const other = joinSamples(await collect(decodeTokens(model, [tokens], { quantizers: 2 })));
  expect(one).toEqual(other);
});

test('a number of quantizers that the model does not have is refused', async () => {
  for (const quantizers of [0, -1, 1.5, model.manifest.quantizers + 1]) {
    expect(() => encodePcm(model, speech, { quantizers })).toThrow(RangeError);
    await expect(collect(decodeTokens(model, [tokens], { quantizers }))).rejects.toThrow(RangeError);
  }
});

test('frames that are missing between blocks keep their time', async () => {
  const blocks = [sliceFrames(tokens, 0, 40)!, sliceFrames(tokens, 90, tokens.frameCount)!];
  const sound = joinSamples(await collect(decodeTokens(model, blocks, { sampleCount: speech.length })));
  expect(sound).toHaveLength(speech.length);
  const { hop, decoderDelaySamples } = model.manifest;
  expect(sound.subarray(45 * hop, 90 * hop - decoderDelaySamples).every((sample) => sample === 0)).toBe(true);
});

test('blocks out of order, and samples that are not finite, are refused', async () => {
  const blocks = [sliceFrames(tokens, 10, 20)!, sliceFrames(tokens, 5, 10)!];
  await expect(collect(decodeTokens(model, blocks))).rejects.toMatchObject({ code: 'bad_tokens' });
  const wrong = speech.slice();
  wrong[60_000] = Number.NaN;
  await expect(collect(encodePcm(model, wrong))).rejects.toMatchObject({ code: 'bad_audio' });
});
