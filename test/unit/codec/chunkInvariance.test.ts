import {
  CodecModel,
  decodeBatch,
  encodeBatch,
  StreamingDecoder,
  StreamingEncoder,
  type DecodeItem,
  type EncodeItem,
} from '../../../codec/index.js';
import { sliceFrames, type TokenBlock } from '../../../protocol/tokens.js';
import {
  cutSamples,
  differenceDb,
  differingCodes,
  joinBlocks,
  joinSamples,
  power,
  seededRandom,
} from '../../support/streams.js';
import { readWavFixture } from '../../support/wavFixture.js';

const MAX_DIFFERING_CODES = 1 / 1000;
const MAX_DIFFERENCE_DB = -60;

let model: CodecModel;
let recordings: Float32Array[];
/** Tokens and sound of each recording, pushed at once. */
let wholes: { tokens: TokenBlock; sound: Float32Array }[];

beforeAll(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
  recordings = ['en', 'de', 'it', 'ja', 'pt', 'th'].map((language) => {
    const { sampleRate, samples } = readWavFixture(`speech-${language}-1.wav`);
    expect(sampleRate).toBe(model.manifest.sampleRate);
    return samples;
  });
  wholes = [];
  for (const recording of recordings) {
    const tokens = await encodePieces([recording]);
    wholes.push({ tokens, sound: await new StreamingDecoder(model).push(tokens) });
  }
});

afterAll(() => model.close());

async function encodePieces(pieces: readonly Float32Array[]): Promise<TokenBlock> {
  const encoder = new StreamingEncoder(model);
  const blocks: (TokenBlock | undefined)[] = [];
  for (const piece of pieces) blocks.push(await encoder.push(piece));
  blocks.push(await encoder.flush());
  return joinBlocks(blocks);
}

async function decodePieces(tokens: TokenBlock, nextFrames: () => number): Promise<Float32Array> {
  const decoder = new StreamingDecoder(model);
  const pieces: Float32Array[] = [];
  while (decoder.frameIndex < tokens.frameCount) {
    const block = sliceFrames(tokens, decoder.frameIndex, decoder.frameIndex + nextFrames());
    if (block) pieces.push(await decoder.push(block));
  }
  return joinSamples(pieces);
}

test('the recordings use the codebooks, and the tokens make sound', () => {
  for (const { tokens, sound } of wholes) {
    expect(new Set(tokens.codes).size).toBeGreaterThan(20);
    expect(power(sound)).toBeGreaterThan(0);
  }
});

const random = seededRandom(7);
test.each([
  ['20 ms', () => 480],
  ['60 ms', () => 1440],
  ['200 ms', () => 4800],
  ['7 ms, less than a frame', () => 168],
  ['random length', () => 1 + Math.floor(random() ** 3 * 20_000)],
])('pieces of %s give the codes of the whole', async (_, nextLength) => {
  // A near-tie in an early codebook changes the later ones of its frame: only many frames together make a fair share.
  let differing = 0;
  for (const [index, { tokens }] of wholes.entries()) {
    const pieces = cutSamples(recordings[index]!, nextLength);
    expect(pieces.length).toBeGreaterThan(5);
    differing += differingCodes(tokens, await encodePieces(pieces)) / wholes.length;
  }
  expect(differing).toBeLessThan(MAX_DIFFERING_CODES);
});

test.each([
  ['1 frame', () => 1],
  ['3 frames', () => 3],
  ['10 frames', () => 10],
  ['a random number of frames', () => 1 + Math.floor(random() * 60)],
])('blocks of %s give the sound of the whole', async (_, nextFrames) => {
  const { tokens, sound } = wholes[0]!;
  expect(differenceDb(sound, await decodePieces(tokens, nextFrames))).toBeLessThan(MAX_DIFFERENCE_DB);
});

test('streams batched with others, in any rows and pieces, give the codes and the sound of each alone', async () => {
  const next = seededRandom(11);
  const encoders = recordings.map(() => new StreamingEncoder(model));
  const decoders = recordings.map(() => new StreamingDecoder(model));
  const starts = recordings.map(() => 0);
  const blocks: TokenBlock[][] = recordings.map(() => []);
  const sounds: Float32Array[][] = recordings.map(() => []);
  const shuffledSome = (): number[] =>
    recordings
      .map((__, index) => ({ index, place: next() }))
      .filter(({ place }) => place < 0.8)
      .sort((one, other) => one.place - other.place)
      .map(({ index }) => index);
  const decode = async (items: readonly (TokenBlock | undefined)[], streams: readonly number[]) => {
    const present = streams.flatMap((stream, row): { stream: number; item: DecodeItem }[] => {
      const block = items[row];
      return block ? [{ stream, item: { decoder: decoders[stream]!, block } }] : [];
    });
    present.forEach(({ stream, item }) => 'block' in item && blocks[stream]!.push(item.block));
    const pcm = await decodeBatch(present.map(({ item }) => item));
    present.forEach(({ stream }, row) => sounds[stream]!.push(pcm[row]!));
  };
  while (starts.some((start, stream) => start < recordings[stream]!.length)) {
    const streams = shuffledSome();
    // Half of the ticks are what an engine does (all rows alike), half are ragged.
    const common = next() < 0.5 ? 480 * (1 + Math.floor(next() * 4)) : undefined;
    const items = streams.map((stream): EncodeItem => {
      const start = starts[stream]!;
      const pcm = recordings[stream]!.subarray(start, start + (common ?? Math.floor(next() * 4000)));
      starts[stream] = start + pcm.length;
      return { encoder: encoders[stream]!, pcm };
    });
    await decode(await encodeBatch(items), streams);
  }
  for (const [stream, encoder] of encoders.entries()) await decode([await encoder.flush()], [stream]);
  let differing = 0;
  for (const [stream, { tokens, sound }] of wholes.entries()) {
    const batched = joinBlocks(blocks[stream]!);
    const share = differingCodes(tokens, batched);
    differing += share / wholes.length;
    // A code that fell the other way in a near-tie changes the sound: compare the sound of the same codes.
    const alone = share === 0 ? sound : await new StreamingDecoder(model).push(batched);
    expect(differenceDb(alone, joinSamples(sounds[stream]!))).toBeLessThan(MAX_DIFFERENCE_DB);
  }
  expect(differing).toBeLessThan(MAX_DIFFERING_CODES);
});

test('the first codebooks alone are a stream of their own', async () => {
  const { tokens } = wholes[0]!;
  for (let quantizers = 1; quantizers <= tokens.quantizers; quantizers += 1) {
    const block = { ...tokens, quantizers, codes: tokens.codes.subarray(0, quantizers * tokens.frameCount) };
    const sound = await new StreamingDecoder(model).push(block);
    expect(sound).toHaveLength(tokens.frameCount * model.manifest.hop);
    expect(sound.every((sample) => Math.abs(sample) <= 1)).toBe(true);
  }
});

test('more streams than one run takes are all served', async () => {
  const pcm = recordings[0]!.subarray(40_000, 40_000 + 20 * model.manifest.hop);
  const alone = (await new StreamingEncoder(model).push(pcm))!;
  const blocks = await encodeBatch(
    Array.from({ length: 150 }, () => ({ encoder: new StreamingEncoder(model), pcm })),
  );
  expect(blocks).toHaveLength(150);
  // Equal rows meet the same near-ties, so that one of them counts 150 times here.
  for (const block of blocks) expect(differingCodes(alone, block!)).toBeLessThan(0.05);
});
