import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CodecModel,
  decodeTokens,
  encodePcm,
  loadManifest,
  StreamingDecoder,
  StreamingEncoder,
} from '../../../codec/index.js';
import { nextWindow } from '../../../codec/runtime/windowPlan.js';
import { sliceFrames, takeQuantizers, type TokenBlock } from '../../../protocol/tokens.js';
import { Engine } from '../../../services/engine/index.js';
import {
  collect,
  cutSamples,
  differenceDb,
  differingCodes,
  joinBlocks,
  joinSamples,
  seededRandom,
} from '../../support/streams.js';
import { fixtureUrl, readWavFixture } from '../../support/wavFixture.js';

/** A Language-Codec of a few channels with random weights, as `import_languagecodec.py` converts it. */
const FOLDER = fileURLToPath(fixtureUrl('languagecodec-tiny'));

/** What PyTorch makes of the recording as a whole: `check_languagecodec.py fixture`. */
interface Expected {
  readonly recording: string;
  readonly samples: number;
  readonly codes: readonly (readonly number[])[];
  /** The first samples of the whole decoded with so many codebooks. */
  readonly pcm: readonly { readonly quantizers: number; readonly samples: readonly number[] }[];
}

const expected = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as Expected;
const speech = readWavFixture(expected.recording).samples.subarray(0, expected.samples);

const tokens: TokenBlock = {
  firstFrameIndex: 0,
  frameCount: expected.codes[0]?.length ?? 0,
  quantizers: expected.codes.length,
  codes: Uint16Array.from(expected.codes.flat()),
};

let model: CodecModel;

beforeAll(async () => {
  model = await CodecModel.load({ model: FOLDER, provider: 'cpu' });
});

afterAll(() => model.close());

const encode = async (codec: CodecModel, pcm: Float32Array): Promise<TokenBlock> =>
  joinBlocks(await collect(encodePcm(codec, pcm)));

const decode = async (codec: CodecModel, blocks: readonly TokenBlock[]): Promise<Float32Array> =>
  joinSamples(await collect(decodeTokens(codec, blocks)));

describe('windows', () => {
  const windows = { frames: 10, marginFrames: 2 };

  test.each([
    ['waits for its margin', { received: 7, done: 0, isEnd: false }, undefined],
    ['has none in front at the start', { received: 8, done: 0, isEnd: false }, [0, 8, 0, 6]],
    ['is the same when more is there', { received: 50, done: 0, isEnd: true }, [0, 8, 0, 6]],
    ['has one at both ends', { received: 14, done: 6, isEnd: false }, [4, 14, 6, 12]],
    ['has none behind at the end', { received: 13, done: 6, isEnd: true }, [4, 13, 6, 13]],
    ['holds a short recording as a whole', { received: 7, done: 0, isEnd: true }, [0, 7, 0, 7]],
    ['ends', { received: 13, done: 13, isEnd: true }, undefined],
    ['is not there for nothing', { received: 0, done: 0, isEnd: true }, undefined],
  ])('%s', (_, progress, window) => {
    const next = nextWindow(windows, progress);
    expect(next && [next.start, next.end, next.takeStart, next.takeEnd]).toEqual(window);
  });
});

describe('a converted Language-Codec, in one window', () => {
  let directory: string;
  let whole: CodecModel;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tessera-windows-'));
    for (const file of ['encoder.onnx', 'decoder.onnx'])
      symlinkSync(join(FOLDER, file), join(directory, file));
    const manifest = { ...(await loadManifest(FOLDER)), windows: { frames: 1000, marginFrames: 0 } };
    writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
    whole = await CodecModel.load({ model: directory, provider: 'cpu' });
  });

  afterAll(async () => {
    await whole.close();
    rmSync(directory, { recursive: true });
  });

  test('has the codes that PyTorch gives', async () => {
    expect(new Set(tokens.codes).size).toBeGreaterThan(40);
    expect(differingCodes(tokens, await encode(whole, speech))).toBeLessThan(0.001);
  });

  test.each(expected.pcm)('has the sound that PyTorch gives: $quantizers codebooks', async (sound) => {
    const pcm = await decode(whole, [takeQuantizers(tokens, sound.quantizers)]);
    expect(pcm).toHaveLength(speech.length);
    const largest = Math.max(...sound.samples.map((sample, at) => Math.abs(sample - (pcm[at] ?? 0))));
    expect(largest).toBeLessThan(0.001);
    expect(Math.max(...sound.samples)).toBeGreaterThan(0.01);
  });

  test('is the same in windows, but for what its memory has forgotten', async () => {
    expect(model.digest).toBe(whole.digest);
    expect(differingCodes(tokens, await encode(model, speech))).toBeLessThan(0.01);
    expect(differenceDb(await decode(whole, [tokens]), await decode(model, [tokens]))).toBeLessThan(-60);
  });
});

test('pieces of any size give what the whole at once gives', async () => {
  const random = seededRandom(7);
  async function* pieces(): AsyncGenerator<Float32Array> {
    yield* cutSamples(speech, () => 1 + Math.floor(random() * 5000));
  }
  const encoded = encodePcm(model, pieces());
  expect(differingCodes(await encode(model, speech), joinBlocks(await collect(encoded)))).toBe(0);
  expect(encoded.totals).toEqual({ sampleCount: speech.length, frameCount: tokens.frameCount });
  const frames = [1, 100, 3, 346].map((count, at, all) => {
    const first = all.slice(0, at).reduce((total, each) => total + each, 0);
    return sliceFrames(tokens, first, first + count)!;
  });
  expect(await decode(model, frames)).toEqual(await decode(model, [tokens]));
});

test('decoding gives back as many samples', async () => {
  const { hop } = model.manifest;
  for (const length of [0, 1, hop, hop + 1, 3 * hop, 135 * hop, 135 * hop + 1, speech.length]) {
    const encoded = encodePcm(model, speech.subarray(0, length));
    const blocks = await collect(encoded);
    const { sampleCount } = encoded.totals;
    expect(joinSamples(await collect(decodeTokens(model, blocks, { sampleCount })))).toHaveLength(length);
    expect(encoded.totals.frameCount).toBe(Math.ceil(length / hop));
  }
});

test('a pipe of both keeps to the delay of the manifest, and needs it', async () => {
  const { hop, delaySamples } = model.manifest;
  let fed = 0;
  async function* live(): AsyncGenerator<Float32Array> {
    for (const piece of cutSamples(speech, () => hop)) {
      fed += piece.length;
      yield piece;
    }
  }
  let heard = 0;
  let longest = 0;
  for await (const pcm of decodeTokens(model, encodePcm(model, live()))) {
    longest = Math.max(longest, fed - heard);
    heard += pcm.length;
  }
  expect(heard).toBe(speech.length);
  expect(longest).toBe(delaySamples);
});

test('frames of different depth decode together', async () => {
  const blocks = await collect(encodePcm(model, speech, { depth: 'adaptive' }));
  expect(new Set(blocks.map(({ quantizers }) => quantizers)).size).toBeGreaterThan(1);
  const few = tokens.frameCount / 2;
  const first = takeQuantizers(sliceFrames(tokens, 0, few)!, 2);
  const sound = await decode(model, [first, sliceFrames(tokens, few, tokens.frameCount)!]);
  const shallow = await decode(model, [takeQuantizers(tokens, 2)]);
  const deep = await decode(model, [tokens]);
  // Away from the change, where each knows nothing of the other.
  const { hop } = model.manifest;
  expect(
    differenceDb(shallow.subarray(0, (few - 20) * hop), sound.subarray(0, (few - 20) * hop)),
  ).toBeLessThan(-60);
  expect(differenceDb(deep.subarray((few + 20) * hop), sound.subarray((few + 20) * hop))).toBeLessThan(-60);
});

test('frames that are missing fade out into silence and keep their time', async () => {
  const { hop } = model.manifest;
  const blocks = [sliceFrames(tokens, 5, 100)!, sliceFrames(tokens, 200, tokens.frameCount)!];
  const sound = await decode(model, blocks);
  expect(sound).toHaveLength(speech.length);
  // 100 ms are 12.5 frames.
  expect(sound.subarray(113 * hop, 200 * hop).every((sample) => sample === 0)).toBe(true);
  expect(sound.subarray(0, 5 * hop).some((sample) => sample !== 0)).toBe(false);
  expect(sound.subarray(100 * hop, 104 * hop).some((sample) => sample !== 0)).toBe(true);
  expect(
    differenceDb((await decode(model, [tokens])).subarray(230 * hop), sound.subarray(230 * hop)),
  ).toBeLessThan(-60);
});

test('what does not fit the model is refused', async () => {
  const wrong = speech.slice();
  wrong[20_000] = Number.NaN;
  await expect(collect(encodePcm(model, wrong))).rejects.toMatchObject({ code: 'bad_audio' });
  const codes = tokens.codes.map((code, at) => (at === 100 ? model.manifest.codebookSize : code));
  await expect(collect(decodeTokens(model, [{ ...tokens, codes }]))).rejects.toMatchObject({
    code: 'bad_tokens',
  });
});

describe('a model that is not causal has no live streams', () => {
  const refusal = {
    code: 'not_streaming',
    message: expect.stringMatching(/language-codec-tiny.* 1\.8 s/) as string,
  };

  test('of its own', () => {
    expect(() => new StreamingEncoder(model)).toThrow(expect.objectContaining(refusal) as Error);
    expect(() => new StreamingDecoder(model)).toThrow(expect.objectContaining(refusal) as Error);
  });

  test('in an engine', async () => {
    await expect(Engine.start({ provider: 'cpu', model: FOLDER, threads: 1 })).rejects.toMatchObject(refusal);
  });
});
