import { TesseraError } from '../../protocol/errors.js';
import type { CodedRun } from '../../protocol/codedRun.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import { CodeModel } from './codeModel.js';
import { codeDepths } from './depthCoder.js';
import { RangeDecoder, RangeEncoder } from './rangeCoder.js';
import type { EntropyTables } from './tables.js';

/** How a packet is to be written. */
export interface PacketOptions {
  /** Whether it can be read without the packets before it; the first packet always can. */
  readonly isFresh: boolean;
  /** Whether relays can cut its codebooks: costs about 2 bytes a codebook. */
  readonly isCuttable?: boolean;
}

/** Entropy-codes the tokens of one stream, without loss. */
export class TokenEncoder {
  readonly #model: CodeModel;
  readonly #tables: EntropyTables;
  readonly #coder = new RangeEncoder();
  #nextFrameIndex: number | undefined;

  constructor(tables: EntropyTables) {
    this.#tables = tables;
    this.#model = new CodeModel(tables);
  }

  /**
   * One packet of blocks that follow each other, of any depths. It stands alone where `isFresh` asks for it, and where
   * its frames do not follow those of the packet before.
   * @throws RangeError when the blocks leave a frame out or have codes that the tables do not know.
   */
  encode(blocks: readonly TokenBlock[], { isFresh, isCuttable = false }: PacketOptions): CodedRun {
    const { firstFrameIndex, frameCount, quantizers, depths, codes } = gather(blocks, this.#tables);
    const isContinued = !isFresh && this.#nextFrameIndex === firstFrameIndex;
    if (!isContinued) this.#model.reset();
    this.#nextFrameIndex = firstFrameIndex + frameCount;
    const isVaried = depths.some((depth) => depth !== quantizers);
    const coder = this.#coder;
    if (isVaried) this.#encodeDepths(depths);
    const segments: Uint8Array[] = [];
    this.#model.begin(frameCount);
    for (let quantizer = 0; quantizer < quantizers; quantizer += 1) {
      this.#encodeRow(quantizer, codes, depths);
      if (isCuttable) segments.push(coder.finish());
    }
    if (!isCuttable) segments.push(coder.finish());
    this.#model.end(frameCount, quantizers);
    return { firstFrameIndex, frameCount, quantizers, isContinued, isVaried, isCuttable, segments };
  }

  /**
   * One packet of blocks that follow each other and have equally many codebooks, cut to 1, 2 and so on up to all of them.
   * Each stands alone, and has the bytes that {@link encode} would give it.
   * @throws RangeError as {@link encode} does, and for blocks of different depths.
   */
  encodeCuts(blocks: readonly TokenBlock[]): CodedRun[] {
    const { firstFrameIndex, frameCount, quantizers, depths, codes } = gather(blocks, this.#tables);
    if (depths.some((depth) => depth !== quantizers)) throw new RangeError('The frames differ in depth');
    // No reader has gone the same way: nothing may continue this.
    this.#nextFrameIndex = undefined;
    this.#model.reset();
    this.#model.begin(frameCount);
    const flags = { isContinued: false, isVaried: false, isCuttable: false };
    const runs: CodedRun[] = [];
    for (let quantizer = 0; quantizer < quantizers; quantizer += 1) {
      this.#encodeRow(quantizer, codes, depths);
      const segment = quantizer + 1 < quantizers ? this.#coder.peek() : this.#coder.finish();
      runs.push({ firstFrameIndex, frameCount, quantizers: quantizer + 1, ...flags, segments: [segment] });
    }
    return runs;
  }

  #encodeRow(quantizer: number, codes: Uint16Array, depths: Uint8Array): void {
    const row = codes.subarray(quantizer * depths.length, (quantizer + 1) * depths.length);
    this.#model.code(quantizer, row, depths, (turn, probability) => {
      this.#coder.encode(turn, probability);
      return turn;
    });
  }

  #encodeDepths(depths: Uint8Array): void {
    codeDepths(depths, this.#tables.quantizers, (bit, probability) => {
      this.#coder.encode(bit, probability);
      return bit;
    });
  }
}

/** Reads the packets of one stream. */
export class TokenDecoder {
  readonly #model: CodeModel;
  readonly #tables: EntropyTables;
  readonly #coder = new RangeDecoder();
  #nextFrameIndex: number | undefined;

  constructor(tables: EntropyTables) {
    this.#tables = tables;
    this.#model = new CodeModel(tables);
  }

  /** Whether the packet can be read now: it stands alone, or the one before it was the last that was read. */
  canDecode(run: CodedRun): boolean {
    return !run.isContinued || this.#nextFrameIndex === run.firstFrameIndex;
  }

  /**
   * The tokens of a packet, in blocks of equal depth. A packet cut to k codebooks gives frames of at most k.
   * @throws TesseraError `bad_tokens` for a packet that continues one that was not read, that has more codebooks than the
   * tables, or bytes that no code needs. The next packet that stands alone can be read.
   */
  decode(run: CodedRun): TokenBlock[] {
    const { firstFrameIndex, frameCount, quantizers, segments } = run;
    if (!this.canDecode(run)) {
      throw new TesseraError(
        'bad_tokens',
        `The packet at frame ${firstFrameIndex} continues one that was not read`,
      );
    }
    if (quantizers > this.#tables.quantizers) {
      throw new TesseraError(
        'bad_tokens',
        `The model's entropy tables have ${this.#tables.quantizers} codebooks`,
      );
    }
    this.#nextFrameIndex = undefined;
    if (!run.isContinued) this.#model.reset();
    const coder = this.#coder;
    coder.start(segments[0] ?? new Uint8Array(0));
    const depths = new Uint8Array(frameCount).fill(quantizers);
    if (run.isVaried) this.#decodeDepths(depths, quantizers);
    const codes = new Uint16Array(quantizers * frameCount);
    this.#model.begin(frameCount);
    for (let quantizer = 0; quantizer < quantizers; quantizer += 1) {
      if (quantizer > 0 && run.isCuttable) {
        this.#checkRest();
        coder.start(segments[quantizer] ?? new Uint8Array(0));
      }
      const row = codes.subarray(quantizer * frameCount, (quantizer + 1) * frameCount);
      this.#model.code(quantizer, row, depths, (_, probability) => coder.decode(probability));
    }
    this.#checkRest();
    this.#model.end(frameCount, quantizers);
    this.#nextFrameIndex = firstFrameIndex + frameCount;
    return scatter(firstFrameIndex, depths, codes);
  }

  #checkRest(): void {
    if (this.#coder.hasRest)
      throw new TesseraError('bad_tokens', 'A coded packet has bytes that no code needs');
  }

  #decodeDepths(depths: Uint8Array, quantizers: number): void {
    const read = (_: number, probability: number): number => this.#coder.decode(probability);
    if (!codeDepths(depths, this.#tables.quantizers, read)) {
      throw new TesseraError('bad_tokens', 'A coded packet says no depths of its frames');
    }
    for (const [frame, depth] of depths.entries()) {
      // It may have been cut.
      depths[frame] = Math.min(depth, quantizers);
    }
  }
}

interface Gathered {
  readonly firstFrameIndex: number;
  readonly frameCount: number;
  readonly quantizers: number;
  readonly depths: Uint8Array;
  /** Codebook-major, with room for the deepest frame everywhere. */
  readonly codes: Uint16Array;
}

function gather(blocks: readonly TokenBlock[], tables: EntropyTables): Gathered {
  const firstFrameIndex = blocks[0]?.firstFrameIndex ?? 0;
  const frameCount = blocks.reduce((total, block) => total + block.frameCount, 0);
  const quantizers = blocks.reduce((most, block) => Math.max(most, block.quantizers), 0);
  if (frameCount === 0 || quantizers > tables.quantizers) {
    throw new RangeError(`A packet of ${frameCount} frames and ${quantizers} codebooks cannot be coded`);
  }
  const depths = new Uint8Array(frameCount);
  const codes = new Uint16Array(quantizers * frameCount);
  let at = 0;
  for (const block of blocks) {
    if (block.firstFrameIndex !== firstFrameIndex + at)
      throw new RangeError('The blocks do not follow each other');
    depths.fill(block.quantizers, at, at + block.frameCount);
    for (let quantizer = 0; quantizer < block.quantizers; quantizer += 1) {
      const row = block.codes.subarray(quantizer * block.frameCount, (quantizer + 1) * block.frameCount);
      if (row.some((code) => code >= tables.codebookSize))
        throw new RangeError('A code is outside the codebook');
      codes.set(row, quantizer * frameCount + at);
    }
    at += block.frameCount;
  }
  return { firstFrameIndex, frameCount, quantizers, depths, codes };
}

/** Blocks of frames that have equally many codebooks. */
function scatter(firstFrameIndex: number, depths: Uint8Array, codes: Uint16Array): TokenBlock[] {
  const blocks: TokenBlock[] = [];
  for (let from = 0, to = 0; from < depths.length; from = to) {
    const quantizers = depths[from] ?? 0;
    while (depths[to] === quantizers) to += 1;
    const frameCount = to - from;
    const block = new Uint16Array(quantizers * frameCount);
    for (let quantizer = 0; quantizer < quantizers; quantizer += 1) {
      const row = quantizer * depths.length;
      block.set(codes.subarray(row + from, row + to), quantizer * frameCount);
    }
    blocks.push({ firstFrameIndex: firstFrameIndex + from, frameCount, quantizers, codes: block });
  }
  return blocks;
}
