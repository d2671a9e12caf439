import { CodecModel, StreamingEncoder } from '../../../codec/index.js';
import { TokenDecoder, TokenEncoder, type EntropyTables } from '../../../codec/entropy/index.js';
import { loadEntropyTables } from '../../../codec/entropyTables.js';
import { cutCodedRun, type CodedRun } from '../../../protocol/codedRun.js';
import { bitsPerCode } from '../../../protocol/bitPacking.js';
import { TesseraError } from '../../../protocol/errors.js';
import { sliceFrames, takeQuantizers, type TokenBlock } from '../../../protocol/tokens.js';
import { SeededRandom } from '../protocol/random.js';
import { joinBlocks } from '../../support/streams.js';
import { readWavFixture } from '../../support/wavFixture.js';

let tables: EntropyTables;
/** Real speech of people that the tables were not trained on, with all codebooks. */
let speech: TokenBlock;

beforeAll(async () => {
  const loaded = await loadEntropyTables();
  if (!loaded) throw new Error('The bundled model has no entropy tables');
  tables = loaded;
  const model = await CodecModel.load({ provider: 'cpu' });
  const encoded = await new StreamingEncoder(model).push(readWavFixture('speech-de-1.wav').samples);
  await model.close();
  if (!encoded) throw new Error('The recording has no frames');
  speech = encoded;
});

/** The recording at `quantizers` codebooks in pieces of `frames`. */
function pieces(quantizers: number, frames: number): TokenBlock[] {
  const blocks: TokenBlock[] = [];
  for (let at = 0; at < speech.frameCount; at += frames) {
    blocks.push(sliceFrames(takeQuantizers(speech, quantizers), at, at + frames)!);
  }
  return blocks;
}

function encodeAll(blocks: readonly TokenBlock[], isCuttable = false): CodedRun[] {
  const encoder = new TokenEncoder(tables);
  return blocks.map((block) => encoder.encode([block], { isFresh: false, isCuttable }));
}

const bytesOf = (runs: readonly CodedRun[]): number =>
  runs.reduce((total, { segments }) => total + segments.reduce((sum, each) => sum + each.length, 0), 0);

describe('entropy coding of real speech', () => {
  test.each([1, 7, 50, 10_000])(
    'gives back what it took, in packets of %i frames, at every depth',
    (frames) => {
      for (let quantizers = 1; quantizers <= speech.quantizers; quantizers += 1) {
        const blocks = pieces(quantizers, frames);
        const decoder = new TokenDecoder(tables);
        expect(encodeAll(blocks).map((run) => decoder.decode(run))).toEqual(blocks.map((block) => [block]));
      }
    },
  );

  test('takes fewer bits than codes at their full width', () => {
    for (let quantizers = 1; quantizers <= speech.quantizers; quantizers += 1) {
      const bits = quantizers * speech.frameCount * bitsPerCode(tables.codebookSize);
      expect(8 * bytesOf(encodeAll(pieces(quantizers, 10_000)))).toBeLessThan(0.95 * bits);
    }
  });

  test('learns the stream as it goes: a chain of packets is shorter than packets that stand alone', () => {
    let chained = 0;
    let alone = 0;
    for (let quantizers = 1; quantizers <= speech.quantizers; quantizers += 1) {
      const blocks = pieces(quantizers, 25);
      chained += bytesOf(encodeAll(blocks));
      alone += bytesOf(blocks.map((block) => new TokenEncoder(tables).encode([block], { isFresh: true })));
    }
    expect(chained).toBeLessThan(alone);
  });

  test.each([1, 6])('codes all depths of packets of %i frames at once, as it would code each', (frames) => {
    const encoder = new TokenEncoder(tables);
    for (const block of pieces(speech.quantizers, frames)) {
      const each = Array.from({ length: speech.quantizers }, (_, at) =>
        new TokenEncoder(tables).encode([takeQuantizers(block, at + 1)], { isFresh: true }),
      );
      expect(encoder.encodeCuts([block])).toEqual(each);
      // It continues nothing that a reader of one depth has not seen.
      const { firstFrameIndex, frameCount } = block;
      const next = { ...block, firstFrameIndex: firstFrameIndex + frameCount };
      expect(encoder.encode([next], { isFresh: false }).isContinued).toBe(false);
    }
  });

  test('keeps frames of different depths in one packet', () => {
    const depths = [1, 1, 6, 6, 6, speech.quantizers, 2, 3, 3, 1];
    const blocks = depths.map((depth, at) => takeQuantizers(sliceFrames(speech, 40 + at, 41 + at)!, depth));
    const run = new TokenEncoder(tables).encode(blocks, { isFresh: true });
    expect(run).toMatchObject({
      firstFrameIndex: 40,
      frameCount: 10,
      quantizers: speech.quantizers,
      isVaried: true,
    });
    const decoded = new TokenDecoder(tables).decode(run);
    expect(decoded.map(({ quantizers }) => quantizers)).toEqual([1, 6, speech.quantizers, 2, 3, 1]);
    const frames = decoded.flatMap((block) =>
      Array.from({ length: block.frameCount }, (_, at) =>
        sliceFrames(block, block.firstFrameIndex + at, block.firstFrameIndex + at + 1)!,
      ),
    );
    expect(frames.map(({ codes }) => codes)).toEqual(blocks.map(({ codes }) => codes));
  });

  test('can be cut at every codebook, and the stream goes on', () => {
    const blocks = pieces(speech.quantizers, 20);
    const runs = encodeAll(blocks, true);
    for (let kept = 1; kept <= speech.quantizers; kept += 1) {
      const decoder = new TokenDecoder(tables);
      const decoded = runs.flatMap((run) => decoder.decode(cutCodedRun(run, kept)));
      expect(joinBlocks(decoded)).toEqual(takeQuantizers(speech, kept));
    }
    const [plain] = encodeAll(blocks);
    expect(() => cutCodedRun(plain!, 1)).toThrow(RangeError);
  });

  test('survives the loss of any packet: what continues it is refused, what stands alone is read', () => {
    const blocks = pieces(8, 10).slice(0, 12);
    const encoder = new TokenEncoder(tables);
    const runs = blocks.map((block, at) => encoder.encode([block], { isFresh: at % 4 === 0 }));
    for (let lost = 0; lost < runs.length; lost += 1) {
      const decoder = new TokenDecoder(tables);
      const nextFresh = 4 * Math.floor(lost / 4) + 4;
      runs.forEach((run, at) => {
        if (at === lost) return;
        const isLost = at > lost && at < nextFresh;
        expect(decoder.canDecode(run)).toBe(!isLost);
        if (isLost)
          expect(() => decoder.decode(run)).toThrow(expect.objectContaining({ code: 'bad_tokens' }));
        else expect(decoder.decode(run)).toEqual([blocks[at]]);
      });
    }
  });

  test('a packet whose frames do not follow stands alone by itself', () => {
    const encoder = new TokenEncoder(tables);
    const [first, , third] = pieces(4, 10);
    expect(encoder.encode([first!], { isFresh: false }).isContinued).toBe(false);
    expect(encoder.encode([third!], { isFresh: false }).isContinued).toBe(false);
  });
});

describe('hostile input', () => {
  test('random and flipped packets give codes or bad_tokens, and never spoil a packet that stands alone', () => {
    const random = new SeededRandom(5);
    const sound = encodeAll(pieces(6, 10));
    const decoder = new TokenDecoder(tables);
    let decoded = 0;
    for (let round = 0; round < 3000; round += 1) {
      const quantizers = 1 + random.below(tables.quantizers);
      const isCuttable = random.below(2) === 1;
      const frameCount = 1 + random.below(12);
      const segments = Array.from({ length: isCuttable ? quantizers : 1 }, () =>
        random.bytes(random.below(12 * frameCount)),
      );
      const run = {
        firstFrameIndex: random.below(1000),
        frameCount,
        quantizers,
        isContinued: random.below(4) === 0,
        isVaried: random.below(3) === 0,
        isCuttable,
        segments,
      };
      try {
        const frames = decoder.decode(run).reduce((total, block) => total + block.frameCount, 0);
        expect(frames).toBe(frameCount);
        decoded += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(TesseraError);
        expect((error as TesseraError).code).toBe('bad_tokens');
      }
      if (round % 100 === 0) expect(decoder.decode({ ...sound[0]!, isContinued: false })).toHaveLength(1);
    }
    expect(decoded).toBeGreaterThan(30);
  });

  test('a byte too many is refused', () => {
    const [run] = encodeAll(pieces(3, 10));
    const [segment] = run!.segments;
    const longer = { ...run!, segments: [Uint8Array.of(...segment!, 1, 2, 3, 4, 5)] };
    expect(() => new TokenDecoder(tables).decode(longer)).toThrow(
      expect.objectContaining({ code: 'bad_tokens' }),
    );
  });

  test('what cannot be coded is a mistake of the caller', () => {
    const encoder = new TokenEncoder(tables);
    const [first, , third] = pieces(2, 10);
    expect(() => encoder.encode([], { isFresh: true })).toThrow(RangeError);
    expect(() => encoder.encode([first!, third!], { isFresh: true })).toThrow(RangeError);
    const outside = { ...first!, codes: new Uint16Array(first!.codes.length).fill(tables.codebookSize) };
    expect(() => encoder.encode([outside], { isFresh: true })).toThrow(RangeError);
  });
});
