import {
  AdaptiveDepth,
  CodecModel,
  encodePcm,
  StreamingEncoder,
  type EncodedBlock,
} from '../../../codec/index.js';
import { splitByDepth } from '../../../codec/depth/splitByDepth.js';
import type { TokenBlock } from '../../../protocol/tokens.js';
import { cutSamples, joinSamples, seededRandom } from '../../support/streams.js';
import { readWavFixture } from '../../support/wavFixture.js';

const FRAME_RATE = 50;
const BOUNDS = { minQuantizers: 2, maxQuantizers: 8 };

/** Frames of given levels, whose residual begins at 0 dB (or as given) and falls by 1 dB with each codebook. */
function measures(levelsDb: readonly number[], residualsDb: readonly number[] = []) {
  const residuals = Array.from({ length: BOUNDS.maxQuantizers }, (_, quantizer) =>
    levelsDb.map((_, frame) => 10 ** (((residualsDb[frame] ?? 0) - quantizer - 1) / 10)),
  );
  return {
    levels: Float32Array.from(levelsDb, (db) => 10 ** (db / 10)),
    residuals: Float32Array.from(residuals.flat()),
  };
}

const repeat = (value: number, times: number): number[] => new Array<number>(times).fill(value);
const loud = repeat(-20, 60);

describe('synthetic frames after loud speech', () => {
  test.each([
    ['digital silence has the least', [-120, -120, -120], [], 2, 2],
    ['a pause far below the peak has the least', [-68, -68, -68], [], 2, 2],
    ['what is as loud and as hard has nearly all', [-20, -20, -20], [], 7, 8],
    ['what is easier keeps fewer', [-20, -20, -20], [-3, -3, -3], 4, 5],
    ['what is harder has all', [-20, -20, -20], [3, 3, 3], 8, 8],
    ['what is quieter keeps fewer', [-40, -40, -40], [], 6, 7],
    ['an onset has all, however easy', [-40, -40, -20], [-6, -6, -6], 8, 8],
  ])('%s', (_, levelsDb, residualsDb, least, most) => {
    const depth = new AdaptiveDepth({ frameRate: FRAME_RATE });
    depth.choose(measures(loud), BOUNDS);
    const [, , last] = depth.choose(measures(levelsDb, residualsDb), BOUNDS);
    expect(last).toBeGreaterThanOrEqual(least);
    expect(last).toBeLessThanOrEqual(most);
  });

  test('the frame after an onset has all too, then ease counts again', () => {
    const depth = new AdaptiveDepth({ frameRate: FRAME_RATE });
    depth.choose(measures(loud), BOUNDS);
    const levelsDb = [-40, -40, ...repeat(-20, 4)];
    const chosen = depth.choose(measures(levelsDb, repeat(-6, 6)), BOUNDS);
    expect([...chosen.subarray(2, 4)]).toEqual([8, 8]);
    expect(chosen[4]).toBeLessThan(8);
  });

  test("a long pause stays at the least while the room's noise goes on", () => {
    const depth = new AdaptiveDepth({ frameRate: FRAME_RATE });
    depth.choose(measures(loud), BOUNDS);
    const random = seededRandom(5);
    const room = Array.from({ length: 60 * FRAME_RATE }, () => -62 + 2 * random());
    expect(new Set(depth.choose(measures(room), BOUNDS).subarray(2))).toEqual(new Set([2]));
  });
});

test('more strength never keeps more', () => {
  const random = seededRandom(7);
  const levelsDb = Array.from({ length: 500 }, () => -80 + 70 * random());
  const residualsDb = levelsDb.map(() => 4 - 8 * random());
  const chosen = [0, 0.5, 1, 2, 4].map((strength) =>
    new AdaptiveDepth({ frameRate: FRAME_RATE, strength }).choose(measures(levelsDb, residualsDb), BOUNDS),
  );
  for (let step = 1; step < chosen.length; step += 1) {
    chosen[step]!.forEach((depth, frame) => expect(depth).toBeLessThanOrEqual(chosen[step - 1]![frame]!));
  }
  expect(chosen[4]).not.toEqual(chosen[0]);
});

test.each([-0.1, 4.1, NaN])('a strength of %p is refused', (strength) => {
  expect(() => new AdaptiveDepth({ frameRate: FRAME_RATE, strength })).toThrow(
    expect.objectContaining({ code: 'bad_options' }),
  );
});

test('without residuals pauses have the least and all else the most', () => {
  const { levels } = measures([...loud, ...repeat(-90, 5)]);
  const chosen = new AdaptiveDepth({ frameRate: FRAME_RATE }).choose(
    { levels, residuals: undefined },
    BOUNDS,
  );
  expect(chosen[59]).toBe(8);
  expect([...chosen.subarray(62)]).toEqual([2, 2, 2]);
});

test('a saved state goes on with the same choices; a damaged one is refused', () => {
  const random = seededRandom(9);
  const levelsDb = Array.from({ length: 300 }, () => -70 + 60 * random());
  const whole = new AdaptiveDepth({ frameRate: FRAME_RATE }).choose(measures(levelsDb), BOUNDS);
  const first = new AdaptiveDepth({ frameRate: FRAME_RATE });
  first.choose(measures(levelsDb.slice(0, 150)), BOUNDS);
  const second = new AdaptiveDepth({ frameRate: FRAME_RATE });
  second.importState(first.exportState());
  expect(second.choose(measures(levelsDb.slice(150)), BOUNDS)).toEqual(whole.subarray(150));
  for (const bytes of [new Uint8Array(3), first.exportState().fill(255)]) {
    expect(() => second.importState(bytes)).toThrow(expect.objectContaining({ code: 'bad_codec_state' }));
  }
});

test('blocks end where the depth changes, and keep the first codebooks', () => {
  const block: TokenBlock = {
    firstFrameIndex: 10,
    frameCount: 4,
    quantizers: 3,
    codes: Uint16Array.from([1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24]),
  };
  expect(splitByDepth(block, Uint8Array.of(1, 2, 2, 3))).toEqual([
    { firstFrameIndex: 10, frameCount: 1, quantizers: 1, codes: Uint16Array.of(1) },
    { firstFrameIndex: 11, frameCount: 2, quantizers: 2, codes: Uint16Array.of(2, 3, 12, 13) },
    { firstFrameIndex: 13, frameCount: 1, quantizers: 3, codes: Uint16Array.of(4, 14, 24) },
  ]);
});

describe('real speech', () => {
  let model: CodecModel;
  /** Speech between two pauses of a second, with faint noise. */
  let recording: Float32Array;
  let pause: number;

  beforeAll(async () => {
    model = await CodecModel.load({ provider: 'cpu' });
    const { samples } = readWavFixture('speech-de-1.wav');
    pause = model.manifest.sampleRate;
    const random = seededRandom(3);
    const noise = Float32Array.from({ length: pause }, () => 0.002 * (random() - 0.5));
    recording = joinSamples([noise, samples, noise]);
  });

  afterAll(() => model.close());

  async function depthsOf(pieces: readonly Float32Array[]): Promise<number[]> {
    const encoder = new StreamingEncoder(model);
    encoder.isMeasuring = true;
    const depth = new AdaptiveDepth({ frameRate: model.summary.frameRate });
    const blocks: (EncodedBlock | undefined)[] = [];
    for (const piece of pieces) blocks.push(await encoder.push(piece));
    return blocks.flatMap((block) => (block ? [...depth.choose(block.measures!, BOUNDS)] : []));
  }

  test('pauses get less depth than speech', async () => {
    const depths = await depthsOf([recording]);
    const frames = pause / model.manifest.hop;
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(depths.slice(2, frames - 1))).toBeLessThan(BOUNDS.minQuantizers + 0.5);
    expect(mean(depths.slice(-frames + 2))).toBeLessThan(BOUNDS.minQuantizers + 0.5);
    expect(mean(depths.slice(frames, -frames))).toBeGreaterThan(4);
  });

  test('the choice does not depend on how the stream is cut', async () => {
    const whole = await depthsOf([recording]);
    const random = seededRandom(11);
    const pieces = cutSamples(recording, () => 1 + Math.floor(3000 * random()));
    const cut = await depthsOf(pieces);
    expect(cut).toHaveLength(whole.length);
    const differing = cut.filter((depth, frame) => depth !== whole[frame]).length;
    expect(differing / whole.length).toBeLessThan(1 / 100);
  });

  test('encodePcm gives successive blocks of the depths, with the codes of fixed depth', async () => {
    const options = { quantizers: 8, depth: 'adaptive' } as const;
    const blocks: TokenBlock[] = [];
    for await (const block of encodePcm(model, recording, options)) blocks.push(block);
    const whole = await new StreamingEncoder(model).push(recording);
    expect(new Set(blocks.map(({ quantizers }) => quantizers)).size).toBeGreaterThan(3);
    let frame = 0;
    for (const block of blocks) {
      expect(block.firstFrameIndex).toBe(frame);
      if (frame < whole!.frameCount) expect(block.codes[0]).toBe(whole!.codes[frame]);
      frame += block.frameCount;
    }
  });
});
