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
