import { encodeFrame } from '../../protocol/frames.js';
import type { Coding } from '../../protocol/clientMessages.js';
import { bytesPerSample, type PcmFormat } from '../../protocol/pcm.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import { sliceFrames, type TokenBlock } from '../../protocol/tokens.js';
import type { EngineResult } from '../engine/index.js';
import type { SharedPackets } from './sharedPackets.js';

/** A binary frame that is ready to be sent, and the frames that it carries. */
export interface Packet {
  readonly firstFrameIndex: number;
  readonly frameCount: number;
  readonly bytes: Uint8Array;
}

/** Gathers the engine's results into packets of so many frames. */
export interface Packetizer {
  /** Frames of the packets that are begun from now on. */
  framesPerPacket: number;
  /** Frames that wait to fill a packet. */
  readonly pendingFrames: number;
  /** @returns the packets that are complete now. */
  add(result: Extract<EngineResult, { kind: 'tokens' | 'pcm' }>): Packet[];
  /** @returns what waits, as a shorter packet; undefined when nothing does. */
  cut(): Packet | undefined;
}

/** Makes packets of token blocks that follow each other. */
export interface TokenPacker {
  readonly coding: Coding;
  /** Whether a packet follows from its blocks alone, whatever was packed before. */
  readonly standsAlone: boolean;
  /** Whether frames of different numbers of codebooks can share a packet. */
  readonly mixesDepths: boolean;
  readonly pack: (blocks: readonly TokenBlock[]) => Uint8Array;
  /**
   * What {@link pack} gives of blocks of equal depth that are cut to 1, 2 and so on up to all codebooks, where that takes
   * less time than to pack each.
   */
  readonly packCuts?: (blocks: readonly TokenBlock[]) => readonly Uint8Array[];
}

/** Tokens, in packets of so many frames. */
export class TokenPacketizer implements Packetizer {
  framesPerPacket: number;
  /** Who shares packets with others ends them where they do, but those of another phase so many frames earlier. */
  phase = 0;
  readonly #packer: TokenPacker;
  readonly #shared: () => SharedPackets | undefined;
  #pending: TokenBlock[] = [];
  #pendingFrames = 0;

  /** `shared` has the packets of others who get the same frames, where there are any. */
  constructor(packer: TokenPacker, framesPerPacket: number, shared: () => SharedPackets | undefined) {
    this.#packer = packer;
    this.framesPerPacket = framesPerPacket;
    this.#shared = shared;
  }

  get pendingFrames(): number {
    return this.#pendingFrames;
  }

  /** See {@link Packetizer.add}. */
  add(result: Extract<EngineResult, { kind: 'tokens' | 'pcm' }>): Packet[] {
    if (result.kind !== 'tokens') return [];
    const packets: Packet[] = [];
    const { block } = result;
    const end = block.firstFrameIndex + block.frameCount;
    const [waiting] = this.#pending;
    if (waiting && waiting.quantizers !== block.quantizers && !this.#packer.mixesDepths) {
      packets.push(this.#take());
    }
    for (let at = block.firstFrameIndex; at < end;) {
      const room = this.#roomAt(at);
      const part = sliceFrames(block, at, Math.min(end, at + room));
      if (part === undefined) break;
      this.#pending.push(part);
      this.#pendingFrames += part.frameCount;
      at += part.frameCount;
      if (part.frameCount === room) packets.push(this.#take());
    }
    return packets;
  }

  /** See {@link Packetizer.cut}. */
  cut(): Packet | undefined {
    return this.#pendingFrames === 0 ? undefined : this.#take();
  }

  /** Frames that the packet has room for, the next of that index. */
  #roomAt(frameIndex: number): number {
    const isShared = this.#packer.standsAlone && this.#shared() !== undefined;
    return (
      this.framesPerPacket -
      (isShared ? (frameIndex + this.phase) % this.framesPerPacket : this.#pendingFrames)
    );
  }

  #take(): Packet {
    const blocks = this.#pending;
    const firstFrameIndex = blocks[0]?.firstFrameIndex ?? 0;
    const frameCount = this.#pendingFrames;
    this.#pending = [];
    this.#pendingFrames = 0;
    const bytes = this.#shared()?.pack(this.#packer, blocks) ?? this.#packer.pack(blocks);
    return { firstFrameIndex, frameCount, bytes };
  }
}

/** Packs codes at their full width: a packet has one number of codebooks. */
export function plainPacker(model: ModelSummary): TokenPacker {
  return {
    coding: 'packed',
    standsAlone: true,
    mixesDepths: false,
    pack: (blocks) => encodeFrame({ kind: 'tokens', ...joinBlocks(blocks) }, model),
  };
}

/** The samples of the output that are sound, in the order of the stream: the rest is a flush's padding. */
export interface SoundRange {
  readonly firstSampleIndex: number;
  /** Infinity while the stretch goes on. */
  readonly endSampleIndex: number;
}

/** PCM: samples moved to their place in time, without the decoder's warm-up and the padding of flushes. */
export class PcmPacketizer implements Packetizer {
  readonly #model: ModelSummary;
  framesPerPacket: number;
  readonly #sampleBytes: number;
  readonly #sound: () => SoundRange;
  #firstFrameIndex = 0;
  #pending: Uint8Array[] = [];
  #pendingFrames = 0;

  /** `sound` tells what of the frames that are added now is sound. */
  constructor(model: ModelSummary, framesPerPacket: number, format: PcmFormat, sound: () => SoundRange) {
    this.#model = model;
    this.framesPerPacket = framesPerPacket;
    this.#sampleBytes = bytesPerSample(format);
    this.#sound = sound;
  }

  get pendingFrames(): number {
    return this.#pendingFrames;
  }

  /** See {@link Packetizer.add}. */
  add(result: Extract<EngineResult, { kind: 'tokens' | 'pcm' }>): Packet[] {
    if (result.kind !== 'pcm') return [];
    const frameBytes = this.#model.hop * this.#sampleBytes;
    const packets: Packet[] = [];
    for (let frame = 0; frame < result.frameCount;) {
      if (this.#pendingFrames === 0) this.#firstFrameIndex = result.firstFrameIndex + frame;
      const room = Math.max(1, this.framesPerPacket - this.#pendingFrames);
      const end = Math.min(result.frameCount, frame + room);
      this.#pending.push(result.bytes.subarray(frame * frameBytes, end * frameBytes));
      this.#pendingFrames += end - frame;
      frame = end;
      if (this.#pendingFrames < this.framesPerPacket) continue;
      const packet = this.cut();
      if (packet) packets.push(packet);
    }
    return packets;
  }

  /** See {@link Packetizer.cut}. */
  cut(): Packet | undefined {
    const frameCount = this.#pendingFrames;
    if (frameCount === 0) return undefined;
    const { hop, decoderDelaySamples } = this.#model;
    const { firstSampleIndex, endSampleIndex } = this.#sound();
    const start = this.#firstFrameIndex * hop - decoderDelaySamples;
    const first = Math.max(start, firstSampleIndex);
    const end = Math.min(start + frameCount * hop, endSampleIndex);
    const payload = joinPieces(this.#pending).subarray(
      (first - start) * this.#sampleBytes,
      (Math.max(first, end) - start) * this.#sampleBytes,
    );
    this.#pending = [];
    this.#pendingFrames = 0;
    if (payload.length === 0) return undefined;
    const bytes = encodeFrame({ kind: 'pcm', firstSampleIndex: first, payload }, this.#model);
    return { firstFrameIndex: this.#firstFrameIndex, frameCount, bytes };
  }
}

/** Blocks that follow each other and have equally many codebooks, as one. */
function joinBlocks(blocks: readonly TokenBlock[]): TokenBlock {
  const [first] = blocks;
  if (first === undefined) throw new RangeError('There are no blocks to join');
  if (blocks.length === 1) return first;
  const frameCount = blocks.reduce((total, block) => total + block.frameCount, 0);
  const codes = new Uint16Array(frameCount * first.quantizers);
  for (let quantizer = 0; quantizer < first.quantizers; quantizer += 1) {
    let at = quantizer * frameCount;
    for (const block of blocks) {
      const from = quantizer * block.frameCount;
      codes.set(block.codes.subarray(from, from + block.frameCount), at);
      at += block.frameCount;
    }
  }
  return { firstFrameIndex: first.firstFrameIndex, frameCount, quantizers: first.quantizers, codes };
}

function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const joined = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
