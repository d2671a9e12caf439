import { encodeFrame, type GapReason } from '../../protocol/frames.js';
import { encodeMessage } from '../../protocol/messages.js';
import type { ServerMessage } from '../../protocol/serverMessages.js';
import type { GatewayLimits } from './limits.js';
import type { Packet } from './packetizer.js';
import { ReplayBuffer } from './replayBuffer.js';

/** What a packet costs besides its bytes while the network has not taken it; so that many tiny ones count too. */
const PACKET_OVERHEAD_BYTES = 256;

/** Where output goes: one connection. */
export interface OutputSink {
  /** Sends a text or binary frame; `onTaken` is called when the network has taken it. */
  readonly send: (data: string | Uint8Array, onTaken?: () => void) => void;
}

/** A message in its place between frames, built when it is sent. */
interface HeldMessage {
  readonly build: () => ServerMessage;
  /** Of messages with the same key only the last counts. */
  readonly replaces: string | undefined;
  readonly onSent: (() => void) | undefined;
}

type Held = { firstFrameIndex: number; frameCount: number } | HeldMessage;

/**
 * The output of a session, in order. A reader that does not keep up loses frames and is told which: beyond the bound
 * frames become a gap, and what has to be said in between is held, until half of what waits has been taken.
 */
export class OutputQueue {
  readonly #limits: GatewayLimits;
  readonly #onDropped: (frameCount: number) => void;
  readonly #replay: ReplayBuffer;
  #sink: OutputSink | undefined;
  #pendingBytes = 0;
  /** Not empty while frames are dropped. */
  #held: Held[] = [];
  #nextFrameIndex = 0;
  #gapFrames = 0;
  #outputBytes = 0;

  /** `onDropped` is told of every frame that becomes a gap. */
  constructor(limits: GatewayLimits, onDropped: (frameCount: number) => void) {
    this.#limits = limits;
    this.#onDropped = onDropped;
    this.#replay = new ReplayBuffer(limits.resumeWindowMs > 0 ? limits.maxReplayBytes : 0);
  }

  /** Index of the frame after those that were sent or became a gap. */
  get nextFrameIndex(): number {
    return this.#nextFrameIndex;
  }

  /** The next frame to come is this one and not 0, or none comes at all. To be called before any is sent. */
  startAt(firstFrameIndex: number): void {
    this.#nextFrameIndex = firstFrameIndex;
  }

  /** Frames sent as gaps. */
  get gapFrames(): number {
    return this.#gapFrames;
  }

  /** Bytes of binary frames sent. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** Memory that waits for the network. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Sends the next frames, or drops them where the reader is behind. */
  packet(packet: Packet): void {
    const { firstFrameIndex, frameCount } = packet;
    this.#nextFrameIndex = firstFrameIndex + frameCount;
    if (this.#mustHold()) {
      this.#onDropped(frameCount);
      this.#hold(firstFrameIndex, frameCount);
      return;
    }
    this.#replay.add(packet);
    this.#send(packet.bytes);
  }

  /** Says that frames will not come, which were too old to be sent. */
  drop(firstFrameIndex: number, frameCount: number): void {
    this.#nextFrameIndex = firstFrameIndex + frameCount;
    this.#onDropped(frameCount);
    if (this.#mustHold()) this.#hold(firstFrameIndex, frameCount);
    else this.#sendGap(firstFrameIndex, frameCount, 'output_dropped');
  }

  /**
   * Sends a message in its place between the frames. `replaces` names messages of which only the last counts while
   * they are held; `onSent` is not called when the connection breaks before.
   */
  message(build: () => ServerMessage, options: { replaces?: string; onSent?: () => void } = {}): void {
    const { replaces, onSent } = options;
    if (!this.#mustHold()) {
      this.#sendMessage(build, onSent);
      return;
    }
    if (replaces !== undefined)
      this.#held = mergeGaps(this.#held.filter((each) => !isReplaced(each, replaces)));
    this.#held.push({ build, replaces, onSent });
  }

  /** The reader has all frames below this index. */
  acknowledge(nextFrameIndex: number): void {
    this.#replay.acknowledge(nextFrameIndex);
  }

  /** Says at once what is held: which frames were dropped, and the messages. */
  release(): void {
    const held = this.#held;
    this.#held = [];
    for (const each of held) {
      if ('frameCount' in each) this.#sendGap(each.firstFrameIndex, each.frameCount, 'output_dropped');
      else this.#sendMessage(each.build, each.onSent);
    }
  }

  /** The connection is up: output goes there from now on. */
  attach(sink: OutputSink): void {
    this.#sink = sink;
    this.#pendingBytes = 0;
  }

  /** The connection is gone: frames are kept as far as they may be, messages are lost. */
  detach(): void {
    this.#sink = undefined;
    this.release();
  }

  /** The first frame that {@link resend} can give a client that has all below `nextFrameIndex`. */
  resendableFrom(nextFrameIndex: number): number {
    return this.#replay.from(nextFrameIndex)[0]?.firstFrameIndex ?? this.#nextFrameIndex;
  }

  /** Sends again from frame `nextFrameIndex` on; what is no longer kept is a gap. */
  resend(nextFrameIndex: number): void {
    const available = this.resendableFrom(nextFrameIndex);
    const lost = available - nextFrameIndex;
    if (lost > 0) {
      const bytes = encodeGap(nextFrameIndex, lost, 'resume_lost');
      this.#gapFrames += lost;
      this.#onDropped(lost);
      this.#send(bytes);
    }
    for (const packet of this.#replay.from(nextFrameIndex)) this.#send(packet.bytes);
  }

  /** Whether the reader is so far behind that nothing more may be given to the network. */
  #mustHold(): boolean {
    const isFull = this.#sink !== undefined && this.#pendingBytes >= this.#limits.maxOutputBufferBytes;
    return isFull || this.#held.length > 0;
  }

  #hold(firstFrameIndex: number, frameCount: number): void {
    const last = this.#held.at(-1);
    if (last && 'frameCount' in last) last.frameCount += frameCount;
    else this.#held.push({ firstFrameIndex, frameCount });
  }

  #sendGap(firstFrameIndex: number, frameCount: number, reason: GapReason): void {
    const bytes = encodeGap(firstFrameIndex, frameCount, reason);
    this.#gapFrames += frameCount;
    this.#replay.add({ firstFrameIndex, frameCount, bytes });
    this.#send(bytes);
  }

  #sendMessage(build: () => ServerMessage, onSent: (() => void) | undefined): void {
    if (!this.#sink) return;
    onSent?.();
    this.#transmit(encodeMessage(build()));
  }

  #send(bytes: Uint8Array): void {
    if (!this.#sink) return;
    this.#outputBytes += bytes.length;
    this.#transmit(bytes);
  }

  #transmit(data: string | Uint8Array): void {
    const sink = this.#sink;
    if (!sink) return;
    const cost = data.length + PACKET_OVERHEAD_BYTES;
    this.#pendingBytes += cost;
    sink.send(data, () => {
      // Of a connection that is gone.
      if (sink !== this.#sink) return;
      this.#pendingBytes -= cost;
      const isDrained = this.#pendingBytes <= this.#limits.maxOutputBufferBytes / 2;
      if (this.#held.length > 0 && isDrained) this.release();
    });
  }
}

function encodeGap(firstFrameIndex: number, frameCount: number, reason: GapReason): Uint8Array {
  return encodeFrame({ kind: 'gap', firstFrameIndex, frameCount, reason }, { codebookSize: 2 });
}

function isReplaced(held: Held, key: string): boolean {
  return !('frameCount' in held) && held.replaces === key;
}

/** Gaps that have become neighbours, as one. */
function mergeGaps(held: readonly Held[]): Held[] {
  const merged: Held[] = [];
  for (const each of held) {
    const last = merged.at(-1);
    if (last && 'frameCount' in last && 'frameCount' in each) last.frameCount += each.frameCount;
    else merged.push(each);
  }
  return merged;
}
