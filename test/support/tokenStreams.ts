import type { TokenBlock } from '../../protocol/tokens.js';

/** The codes of a stream, `[frame][quantizer]`; frames that did not come are undefined. */
export function codesByFrame(blocks: Iterable<TokenBlock>): (number[] | undefined)[] {
  const frames: (number[] | undefined)[] = [];
  for (const { firstFrameIndex, frameCount, quantizers, codes } of blocks) {
    for (let frame = 0; frame < frameCount; frame += 1) {
      frames[firstFrameIndex + frame] = Array.from(
        { length: quantizers },
        (_, quantizer) => codes[quantizer * frameCount + frame] ?? -1,
      );
    }
  }
  return frames;
}

/**
 * The share of codes of `actual` that differ from `expected` at the same place; where `actual` has fewer codebooks in a
 * frame, only these count. Frames that one of the two lacks count as different in all.
 */
export function differingCodes(actual: Iterable<TokenBlock>, expected: Iterable<TokenBlock>): number {
  const [actualFrames, expectedFrames] = [codesByFrame(actual), codesByFrame(expected)];
  let differing = 0;
  let total = 0;
  for (let frame = 0; frame < Math.max(actualFrames.length, expectedFrames.length); frame += 1) {
    const [one, other] = [actualFrames[frame], expectedFrames[frame]];
    const quantizers = one?.length ?? other?.length ?? 0;
    total += quantizers;
    for (let at = 0; at < quantizers; at += 1) if (one?.[at] !== other?.[at] || !one) differing += 1;
  }
  return total === 0 ? 1 : differing / total;
}
