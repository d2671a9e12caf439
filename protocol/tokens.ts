/**
 * A run of consecutive frames of tokens: the unit that encoder, wire, container and decoder exchange.
 *
 * `codes` is codebook-major, `codes[quantizer * frameCount + frame]`, so that a prefix of the array is a valid
 * coarser block: dropping the tail codebooks is a cut, not a re-packing.
 */
export interface TokenBlock {
  /** Index, from the start of the stream, of the block's first frame. */
  readonly firstFrameIndex: number;
  readonly frameCount: number;
  /** Codebooks present, 1 to the model's number of quantizers. */
  readonly quantizers: number;
  /** Length `quantizers * frameCount`, values 0 to codebook size - 1. */
  readonly codes: Uint16Array;
}

/** The same frames with only the first `quantizers` codebooks: a view, nothing is copied. */
export function takeQuantizers(block: TokenBlock, quantizers: number): TokenBlock {
  if (quantizers >= block.quantizers) return block;
  return { ...block, quantizers, codes: block.codes.subarray(0, quantizers * block.frameCount) };
}

/**
 * The frames of `block` from index `firstFrameIndex` to before `endFrameIndex` of the stream (a copy, or the block
 * itself where all are within), or undefined when there are none.
 */
export function sliceFrames(
  block: TokenBlock,
  firstFrameIndex: number,
  endFrameIndex: number,
): TokenBlock | undefined {
  const first = Math.max(firstFrameIndex, block.firstFrameIndex);
  const frameCount = Math.min(endFrameIndex, block.firstFrameIndex + block.frameCount) - first;
  if (frameCount <= 0) return undefined;
  if (frameCount === block.frameCount) return block;
  const codes = new Uint16Array(block.quantizers * frameCount);
  for (let quantizer = 0; quantizer < block.quantizers; quantizer += 1) {
    const start = quantizer * block.frameCount + first - block.firstFrameIndex;
    codes.set(block.codes.subarray(start, start + frameCount), quantizer * frameCount);
  }
  return { firstFrameIndex: first, frameCount, quantizers: block.quantizers, codes };
}
