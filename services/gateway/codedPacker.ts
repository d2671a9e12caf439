import { TokenEncoder, type EntropyTables } from '../../codec/entropy/index.js';
import type { Coding } from '../../protocol/clientMessages.js';
import { TesseraError } from '../../protocol/errors.js';
import { encodeFrame } from '../../protocol/frames.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import { sliceFrames, type TokenBlock } from '../../protocol/tokens.js';
import type { EngineResult } from '../engine/index.js';
import type { Packet, Packetizer, TokenPacker } from './packetizer.js';

/** A packet stands alone at least so often, in frames: whoever has lost one can read again from there. */
const MAX_CHAIN_FRAMES = 100;

/** The tables that a coding of tokens needs. @throws TesseraError `bad_options` where the model has none. */
export function tablesFor(
  coding: Coding | undefined,
  tables: EntropyTables | undefined,
): EntropyTables | undefined {
  if (coding !== 'entropy') return undefined;
  if (tables === undefined) {
    throw new TesseraError(
      'bad_options',
      'The model of this server has no entropy tables: use coding "packed"',
    );
  }
  return tables;
}

/** Packs tokens by entropy coding; each packet continues the one before unless that cannot be. */
export class CodedPacker implements TokenPacker {
  readonly coding = 'entropy';
  readonly mixesDepths = true;
  /** Whether packets may lean on the ones before: not where those may still be dropped on their way. */
  chains = true;
  readonly #encoder: TokenEncoder;
  readonly #model: ModelSummary;
  #chainFrames = Infinity;

  constructor(tables: EntropyTables, model: ModelSummary) {
    this.#encoder = new TokenEncoder(tables);
    this.#model = model;
  }

  /** See {@link TokenPacker.standsAlone}. */
  get standsAlone(): boolean {
    return !this.chains;
  }

  /** See {@link TokenPacker.pack}. */
  pack(blocks: readonly TokenBlock[]): Uint8Array {
    const isFresh = !this.chains || this.#chainFrames >= MAX_CHAIN_FRAMES;
    const run = this.#encoder.encode(blocks, { isFresh });
    this.#chainFrames = (run.isContinued ? this.#chainFrames : 0) + run.frameCount;
    return encodeFrame({ kind: 'coded', ...run }, this.#model);
  }

  /** See {@link TokenPacker.packCuts}. */
  packCuts(blocks: readonly TokenBlock[]): readonly Uint8Array[] {
    this.restart();
    return this.#encoder.encodeCuts(blocks).map((run) => encodeFrame({ kind: 'coded', ...run }, this.#model));
  }

  /** Makes the next packet stand alone: one before it has not reached its reader. */
  restart(): void {
    this.#chainFrames = Infinity;
  }
}

/**
 * Packets that stand alone and carry as many frames as fit a number of bits (equal-information windows, arXiv
 * 2404.03626), one frame at least.
 */
export class WindowPacketizer implements Packetizer {
  framesPerPacket: number;
  readonly #encoder: TokenEncoder;
  readonly #model: ModelSummary;
  readonly #maxPayloadBytes: number;
  #pending: TokenBlock[] = [];
  #packed: Uint8Array | undefined;

  constructor(tables: EntropyTables, model: ModelSummary, bitsPerPacket: number, maxFrames: number) {
    this.#encoder = new TokenEncoder(tables);
    this.#model = model;
    this.#maxPayloadBytes = Math.floor(bitsPerPacket / 8);
    this.framesPerPacket = maxFrames;
  }

  get pendingFrames(): number {
    return this.#pending.length;
  }

  /** See {@link Packetizer.add}. */
  add(result: Extract<EngineResult, { kind: 'tokens' | 'pcm' }>): Packet[] {
    if (result.kind !== 'tokens') return [];
    const packets: Packet[] = [];
    const { block } = result;
    for (let at = 0; at < block.frameCount; at += 1) {
      const first = block.firstFrameIndex + at;
      const frame = sliceFrames(block, first, first + 1);
      if (frame === undefined) break;
      if (this.#pending.length > 0 && !this.#fits([...this.#pending, frame])) {
        const packet = this.cut();
        if (packet) packets.push(packet);
      }
      if (this.#pending.length === 0) this.#fits([frame]);
      this.#pending.push(frame);
    }
    return packets;
  }

  /** See {@link Packetizer.cut}. */
  cut(): Packet | undefined {
    const [first] = this.#pending;
    const bytes = this.#packed;
    if (first === undefined || bytes === undefined) return undefined;
    const frameCount = this.#pending.length;
    this.#pending = [];
    this.#packed = undefined;
    return { firstFrameIndex: first.firstFrameIndex, frameCount, bytes };
  }

  /** Packs the frames, and keeps that where it is short enough or a single frame. */
  #fits(frames: readonly TokenBlock[]): boolean {
    if (frames.length > this.framesPerPacket) return false;
    const run = this.#encoder.encode(frames, { isFresh: true });
    const payloadBytes = run.segments.reduce((total, segment) => total + segment.length, 0);
    if (frames.length > 1 && payloadBytes > this.#maxPayloadBytes) return false;
    this.#packed = encodeFrame({ kind: 'coded', ...run }, this.#model);
    return true;
  }
}
