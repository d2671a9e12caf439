import { sliceFrames, takeQuantizers, type TokenBlock } from '../../protocol/tokens.js';

/** Successive blocks, one for each run of frames of equal depth: frame f keeps its first `depths[f]` codebooks. */
export function splitByDepth(block: TokenBlock, depths: Uint8Array): TokenBlock[] {
  const { firstFrameIndex, frameCount, quantizers, codes } = block;
  const plain = { firstFrameIndex, frameCount, quantizers, codes };
  const blocks: TokenBlock[] = [];
  for (let start = 0; start < frameCount;) {
    const depth = depths[start] ?? quantizers;
    let end = start + 1;
    while (end < frameCount && depths[end] === depth) end += 1;
    const run = sliceFrames(takeQuantizers(plain, depth), firstFrameIndex + start, firstFrameIndex + end);
    if (run) blocks.push(run);
    start = end;
  }
  return blocks;
}
