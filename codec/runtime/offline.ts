import type { Depth } from '../../protocol/clientMessages.js';
import { TesseraError } from '../../protocol/errors.js';
import { sliceFrames, takeQuantizers, type TokenBlock } from '../../protocol/tokens.js';
import { AdaptiveDepth } from '../depth/adaptiveDepth.js';
import { frameRate } from '../manifest.js';
import { StreamingDecoder } from './decoder.js';
import { decodeWindows, type DecodeStep } from './decodeWindows.js';
import { StreamingEncoder, type EncodedBlock } from './encoder.js';
import { encodeWindows } from './encodeWindows.js';
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
 * once, and holds a second or so of it at a time, or a window where the model is not causal.
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
  async function* pieces(): AsyncGenerator<Float32Array> {
    const pieceSamples = FRAMES_AT_ONCE * model.manifest.hop;
    for await (const pcm of source instanceof Float32Array ? [source] : source) {
      totals.sampleCount += pcm.length;
      for (let start = 0; start < pcm.length; start += pieceSamples) {
        yield pcm.subarray(start, start + pieceSamples);
      }
    }
  }
  async function* encode(): AsyncGenerator<TokenBlock> {
    const depth = options.depth === 'adaptive' && new AdaptiveDepth({ frameRate: frameRate(model.manifest) });
    const encodePieces = model.manifest.windows ? encodeWindows : encodeStream;
    for await (const block of encodePieces(model, pieces(), depth !== false)) {
      totals.frameCount = block.firstFrameIndex + block.frameCount;
      if (depth) yield* depth.cut(block, { minQuantizers: 1, maxQuantizers: quantizers });
      else yield takeQuantizers(block, quantizers);
    }
  }
  return { totals, [Symbol.asyncIterator]: encode };
}

async function* encodeStream(
  model: CodecModel,
  pieces: AsyncIterable<Float32Array>,
  isMeasuring: boolean,
): AsyncGenerator<EncodedBlock> {
  const encoder = new StreamingEncoder(model);
  encoder.isMeasuring = isMeasuring;
  for await (const piece of pieces) {
    const block = await encoder.push(piece);
    if (block) yield block;
  }
  const block = await encoder.flush();
  if (block) yield block;
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
  const decodeSteps = model.manifest.windows ? decodeWindows : decodeStream;
  let warmUp = model.manifest.decoderDelaySamples;
  let left = options.sampleCount ?? Infinity;
  if (left === 0) return;
  for await (const pcm of decodeSteps(model, stepsOf(blocks, quantizers))) {
    const trimmed = pcm.subarray(warmUp, Math.min(pcm.length, warmUp + left));
    warmUp -= Math.min(warmUp, pcm.length);
    left -= trimmed.length;
    if (trimmed.length > 0) yield trimmed;
    if (left === 0) return;
  }
}

/**
 * Decodes a whole recording into one array of `sampleCount` samples; where the tokens end early the rest is silence.
 * @throws as {@link decodeTokens} does.
 */
export async function decodeWhole(
  model: CodecModel,
  blocks: AsyncIterable<TokenBlock> | Iterable<TokenBlock>,
  sampleCount: number,
): Promise<Float32Array> {
  const pcm = new Float32Array(sampleCount);
  let at = 0;
  for await (const piece of decodeTokens(model, blocks, { sampleCount })) {
    pcm.set(piece, at);
    at += piece.length;
  }
  return pcm;
}

/** Blocks and the gaps between them, in pieces of a second or so. */
async function* stepsOf(
  blocks: AsyncIterable<TokenBlock> | Iterable<TokenBlock>,
  quantizers: number,
): AsyncGenerator<DecodeStep> {
  let frameIndex = 0;
  for await (const block of blocks) {
    if (block.firstFrameIndex < frameIndex) {
      throw new TesseraError(
        'bad_tokens',
        `The block begins at frame ${block.firstFrameIndex}, but ${frameIndex} is next`,
      );
    }
    while (frameIndex < block.firstFrameIndex) {
      const lostFrames = Math.min(block.firstFrameIndex - frameIndex, FRAMES_AT_ONCE);
      frameIndex += lostFrames;
      yield { lostFrames };
    }
    for (;;) {
      const piece = sliceFrames(block, frameIndex, frameIndex + FRAMES_AT_ONCE);
      if (piece === undefined) break;
      frameIndex += piece.frameCount;
      yield { block: takeQuantizers(piece, quantizers) };
    }
  }
}

async function* decodeStream(
  model: CodecModel,
  steps: AsyncIterable<DecodeStep>,
): AsyncGenerator<Float32Array> {
  const decoder = new StreamingDecoder(model);
  for await (const step of steps) {
    yield 'block' in step ? await decoder.push(step.block) : await decoder.skip(step.lostFrames);
  }
}

function checkQuantizers(model: CodecModel, quantizers = model.manifest.quantizers): number {
  if (Number.isInteger(quantizers) && quantizers >= 1 && quantizers <= model.manifest.quantizers) {
    return quantizers;
  }
  throw new RangeError(`The model has 1 to ${model.manifest.quantizers} quantizers, not ${quantizers}`);
}
