import { hiddenLayer, type HiddenLayer } from './hiddenLayer.js';
import { SQUASH_STEPS, type EntropyTables } from './tables.js';

const MAX_LOGIT = SQUASH_STEPS / 2 - 1;
/** What a stream has learned is kept in 1/65,536. */
const LEARNED_BITS = 8;
/** Of every error, 1/52 is learned. */
const LEARNING_RATE = 5;
const LEARNING_SHIFT = 8;

/** Codes one turn: returns the turn taken, 0 or 1, given the probability of a 1. */
export type TurnCoder = (turn: number, probability: number) => number;

/**
 * Probabilities of a stream's codes, the same for its writer and its reader. Of a code of codebook k they depend on the
 * codebooks below k of its frame, on the frame before up to codebook k, and on what the stream has shown so far of codebook
 * k: so they are the same in a stream that was cut to its first codebooks. All arithmetic is in 32-bit integers.
 *
 * A code is the leaf of a binary tree; each turn on the way down has a logit that is linear in a small hidden layer
 * (hierarchical softmax, Morin and Bengio 2005), plus a bias that learns as the stream goes (a step of stochastic
 * gradient descent after each turn).
 */
export class CodeModel {
  readonly #tables: EntropyTables;
  readonly #levels: number;
  /** [Q, K] */
  readonly #learned: Int32Array;
  /** [Q, E]: embeddings of the last frame, summed up to each codebook. */
  readonly #last: Int16Array;
  /** [F, E]: embeddings of the codebooks so far of each frame of the packet. */
  #sums = new Int16Array(0);
  readonly #layer: HiddenLayer;

  constructor(tables: EntropyTables) {
    this.#tables = tables;
    this.#levels = Math.log2(tables.codebookSize);
    this.#learned = new Int32Array(tables.quantizers * tables.codebookSize);
    this.#last = new Int16Array(tables.quantizers * tables.embeddingSize);
    this.#layer = hiddenLayer(tables);
  }

  /** Forgets the stream so far. */
  reset(): void {
    this.#learned.fill(0);
    this.#last.fill(0);
  }

  /** Begins a packet of so many frames; codebooks follow by {@link code}, in order. */
  begin(frameCount: number): void {
    const length = frameCount * this.#tables.embeddingSize;
    if (this.#sums.length < length) this.#sums = new Int16Array(length);
    else this.#sums.fill(0, 0, length);
  }

  /**
   * Goes through one codebook of the packet: `codes[frame]` is coded, or filled in, where `depths[frame]` is above
   * `quantizer`.
   */
  code(quantizer: number, codes: Uint16Array, depths: Uint8Array, coder: TurnCoder): void {
    const { embeddingSize, embedding, codebookSize, codeAt, leaf } = this.#tables;
    const sums = this.#sums;
    const firstCode = quantizer * codebookSize;
    const last = quantizer * embeddingSize;
    for (let frame = 0; frame < depths.length; frame += 1) {
      if ((depths[frame] ?? 0) <= quantizer) continue;
      const sum = frame * embeddingSize;
      if (frame === 0) this.#fillHidden(quantizer, sum, this.#last, last);
      else this.#fillHidden(quantizer, sum, sums, sum - embeddingSize);
      const place = this.#walk(quantizer, leaf[firstCode + (codes[frame] ?? 0)] ?? 0, coder);
      const code = codeAt[firstCode + place] ?? 0;
      codes[frame] = code;
      const mine = (firstCode + code) * embeddingSize;
      for (let at = 0; at < embeddingSize; at += 1) sums[sum + at] = sums[sum + at]! + embedding[mine + at]!;
    }
    const end = (depths.length - 1) * embeddingSize;
    for (let at = 0; at < embeddingSize; at += 1) this.#last[last + at] = sums[end + at]!;
  }

  /** Ends a packet of so many frames and codebooks: what is deeper stands as the last frame's sum. */
  end(frameCount: number, quantizers: number): void {
    const { embeddingSize, quantizers: all } = this.#tables;
    const sum = this.#sums.subarray((frameCount - 1) * embeddingSize, frameCount * embeddingSize);
    for (let deeper = quantizers; deeper < all; deeper += 1) this.#last.set(sum, deeper * embeddingSize);
  }

  /** The hidden layer before a code of `quantizer`, from this frame's sum so far and that of the frame before. */
  #fillHidden(quantizer: number, sum: number, before: Int16Array, beforeAt: number): void {
    const { embeddingSize } = this.#tables;
    const { context } = this.#layer;
    const sums = this.#sums;
    for (let at = 0; at < embeddingSize; at += 1) {
      context[at] = sums[sum + at]!;
      context[embeddingSize + at] = before[beforeAt + at]!;
    }
    this.#layer.compute(quantizer);
  }

  /** Walks to a leaf: to `target` when writing, to where the coder's answers lead when reading. */
  #walk(quantizer: number, target: number, coder: TurnCoder): number {
    const { codebookSize, hiddenSize, node: weights, nodeBits, bias, squash } = this.#tables;
    const first = quantizer * codebookSize;
    const learned = this.#learned;
    const { hidden } = this.#layer;
    let node = 1;
    for (let level = this.#levels - 1; level >= 0; level -= 1) {
      const at = first + node;
      const weight = at * hiddenSize;
      let total = 0;
      for (let unit = 0; unit < hiddenSize; unit += 1) {
        total = (total + Math.imul(hidden[unit]!, weights[weight + unit]!)) | 0;
      }
      const logit = (total >> nodeBits) + bias[at]! + (learned[at]! >> LEARNED_BITS);
      const step = logit > MAX_LOGIT ? MAX_LOGIT : logit < -MAX_LOGIT ? -MAX_LOGIT : logit;
      const probability = squash[step + SQUASH_STEPS / 2]!;
      const turn = coder((target >> level) & 1, probability);
      learned[at] = learned[at]! + ((((turn << 16) - probability) * LEARNING_RATE) >> LEARNING_SHIFT);
      node = 2 * node + turn;
    }
    return node - codebookSize;
  }
}
