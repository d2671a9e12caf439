import type { Depth } from '../../protocol/clientMessages.js';
import { TesseraError } from '../../protocol/errors.js';
import { sliceFrames, takeQuantizers, type TokenBlock } from '../../protocol/tokens.js';
import { AdaptiveDepth } from '../depth/adaptiveDepth.js';
import { frameRate } from '../manifest.js';
import { StreamingDecoder } from './decoder.js';
import { StreamingEncoder, type EncodedBlock } from './encoder.js';
import type { CodecModel } from './model.js';

/** Frames of a long piece or gap that are worked off before anything is given back. */
const FRAMES_AT_ONCE = 64;

/** What was encoded so far; complete when the iteration has ended. */
export interface EncodeTotals {
  /** Samples that went in: what {@link decodeTokens} needs to give back exactly as many. */
  readonly sampleCount: number;
  readonly frameCount: number;
}

/** Tokens as they come, and their totals. */
export interface EncodedTokens extends AsyncIterable<TokenBlock> {
  readonly totals: EncodeTotals;
}

/** What {@link encodePcm} may be told. */
export interface EncodePcmOptions {
  /** Codebooks to keep; all by default. With adaptive depth the most of any frame. */
  readonly quantizers?: number;
  /** `adaptive`: each frame keeps no more codebooks than it needs; see {@link AdaptiveDepth}. `fixed` when left out. */
  readonly depth?: Depth;
}

/** What {@link decodeTokens} may be told. */
export interface DecodeTokensOptions {
  /** Codebooks to use of those that the blocks have; all by default. */
  readonly quantizers?: number;
  /** Length of the sound in samples; without it the last frame's padding stays on. */
  readonly sampleCount?: number;
}

/**
 * Encodes a whole recording, in memory or as it comes: mono samples in [-1, 1] at the model's rate. It can be iterated
 * once, and holds a second or so of it at a time.
 * @throws TesseraError `bad_audio` for a sample that is not finite. RangeError for a number of quantizers that the
 * model does not have.
 */
export function encodePcm(
  model: CodecModel,
  source: Float32Array | AsyncIterable<Float32Array>,
  options: EncodePcmOptions = {},
): EncodedTokens {
  const quantizers = checkQuantizers(model, options.quantizers);
  const totals = { sampleCount: 0, frameCount: 0 };
  async function* encode(): AsyncGenerator<TokenBlock> {
    const encoder = new StreamingEncoder(model);
    const depth = options.depth === 'adaptive' && new AdaptiveDepth({ frameRate: frameRate(model.manifest) });
    encoder.isMeasuring = depth !== false;
    const cut = (block: EncodedBlock): TokenBlock[] =>
      depth
        ? depth.cut(block, { minQuantizers: 1, maxQuantizers: quantizers })
        : [takeQuantizers(block, quantizers)];
    const pieceSamples = FRAMES_AT_ONCE * model.manifest.hop;
    for await (const pcm of source instanceof Float32Array ? [source] : source) {
      totals.sampleCount += pcm.length;
      for (let start = 0; start < pcm.length; start += pieceSamples) {
        const block = await encoder.push(pcm.subarray(start, start + pieceSamples));
        totals.frameCount = encoder.frameIndex;
        if (block) yield* cut(block);
      }
    }
    const block = await encoder.flush();
    totals.frameCount = encoder.frameIndex;
    if (block) yield* cut(block);
  }
  return { totals, [Symbol.asyncIterator]: encode };
}

/**
 * Decodes a whole recording as its tokens come. The output is aligned with what was encoded, and as long when
 * `sampleCount` says how long. Frames missing between blocks are concealed as {@link StreamingDecoder.skip} does.
 * @throws TesseraError `bad_tokens` for blocks out of order or beyond the model. RangeError for a number of quantizers
 * that the model does not have.
 */
export async function* decodeTokens(
  model: CodecModel,
  blocks: AsyncIterable<TokenBlock> | Iterable<TokenBlock>,
  options: DecodeTokensOptions = {},
): AsyncGenerator<Float32Array> {
  const quantizers = checkQuantizers(model, options.quantizers);
  const decoder = new StreamingDecoder(model);
  let warmUp = model.manifest.decoderDelaySamples;
  let left = options.sampleCount ?? Infinity;
  const trim = (pcm: Float32Array): Float32Array => {
    const trimmed = pcm.subarray(warmUp, Math.min(pcm.length, warmUp + left));
    warmUp -= Math.min(warmUp, pcm.length);
    left -= trimmed.length;
    return trimmed;
  };
  for await (const block of blocks) {
    if (block.firstFrameIndex < decoder.frameIndex) {
      throw new TesseraError(
        'bad_tokens',
        `The block begins at frame ${block.firstFrameIndex}, but ${decoder.frameIndex} is next`,
      );
    }
    while (decoder.frameIndex < block.firstFrameIndex && left > 0) {
      const lostFrames = block.firstFrameIndex - decoder.frameIndex;
      const pcm = trim(await decoder.skip(Math.min(lostFrames, FRAMES_AT_ONCE)));
      if (pcm.length > 0) yield pcm;
    }
    const endFrameIndex = block.firstFrameIndex + block.frameCount;
    while (decoder.frameIndex < endFrameIndex && left > 0) {
      const piece = sliceFrames(block, decoder.frameIndex, decoder.frameIndex + FRAMES_AT_ONCE);
      if (piece === undefined) break;
      const pcm = trim(await decoder.push(takeQuantizers(piece, quantizers)));
      if (pcm.length > 0) yield pcm;
    }
    if (left === 0) return;
  }
}

function checkQuantizers(model: CodecModel, quantizers = model.manifest.quantizers): number {
  if (Number.isInteger(quantizers) && quantizers >= 1 && quantizers <= model.manifest.quantizers) {
    return quantizers;
  }
  throw new RangeError(`The model has 1 to ${model.manifest.quantizers} quantizers, not ${quantizers}`);
}
