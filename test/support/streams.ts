import type { TokenBlock } from '../../protocol/tokens.js';

/** Random numbers in [0, 1) that are the same in every run. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Cuts samples into pieces whose lengths `nextLength` gives. */
export function cutSamples(pcm: Float32Array, nextLength: () => number): Float32Array[] {
  const pieces: Float32Array[] = [];
  for (let start = 0; start < pcm.length;) {
    const piece = pcm.subarray(start, start + nextLength());
    pieces.push(piece);
    start += piece.length;
  }
  return pieces;
}

/** One block of all the frames of blocks that follow each other and have equal quantizers. */
export function joinBlocks(blocks: readonly (TokenBlock | undefined)[]): TokenBlock {
  const present = blocks.filter((block) => block !== undefined);
  const quantizers = present[0]?.quantizers ?? 0;
  const frameCount = present.reduce((total, block) => total + block.frameCount, 0);
  const codes = new Uint16Array(quantizers * frameCount);
  const firstFrameIndex = present[0]?.firstFrameIndex ?? 0;
  let frame = 0;
  for (const block of present) {
    expect(block.firstFrameIndex).toBe(firstFrameIndex + frame);
    expect(block.quantizers).toBe(quantizers);
    for (let quantizer = 0; quantizer < quantizers; quantizer += 1) {
      const from = quantizer * block.frameCount;
      codes.set(block.codes.subarray(from, from + block.frameCount), quantizer * frameCount + frame);
    }
    frame += block.frameCount;
  }
  return { firstFrameIndex, frameCount, quantizers, codes };
}

/** One array of all samples. */
export function joinSamples(pieces: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(pieces.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** All that an async iterable gives. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Share of the codes of two blocks of the same frames that differ. */
export function differingCodes(one: TokenBlock, other: TokenBlock): number {
  expect([other.firstFrameIndex, other.frameCount, other.quantizers]).toEqual([
    one.firstFrameIndex,
    one.frameCount,
    one.quantizers,
  ]);
  return one.codes.filter((code, at) => code !== other.codes[at]).length / one.codes.length;
}

/** Mean square of samples. */
export function power(pcm: Float32Array): number {
  return pcm.reduce((total, sample) => total + sample ** 2, 0) / pcm.length;
}

/** Power of the difference of two signals of equal length, in dB of the first one's power. */
export function differenceDb(one: Float32Array, other: Float32Array): number {
  expect(other.length).toBe(one.length);
  const difference = one.map((sample, at) => sample - (other[at] ?? 0));
  return 10 * Math.log10(power(difference) / power(one));
}
