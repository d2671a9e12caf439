import { noteSent, startControl, stepControl } from './controller.js';
import type { ControlSettings, ControlState, Decision, Feedback, PacketShape } from './types.js';
import {
  DELAYED_ACK_MS,
  GAP_WIRE_BYTES,
  TCP_IP_HEADER_BYTES,
  tokensHeaderBytes,
  wireBytesOf,
} from './wireCost.js';

/** A packet that is ready to be sent. */
export interface PaceablePacket {
  readonly firstFrameIndex: number;
  readonly frameCount: number;
  readonly bytes: { readonly length: number };
  /** Codes that its shape asked for, where its bytes may be fewer or more than their full width. */
  readonly askedCodes?: number;
}

/** Where a {@link PacedOutput} leads, and who watches it. */
export interface PacedOutputHost<Packet extends PaceablePacket> {
  readonly send: (packet: Packet) => void;
  /** Frames that were too old to be sent: called before the packet behind them is sent. */
  readonly drop: (firstFrameIndex: number, frameCount: number) => void;
  /** Told of each feedback and what was decided, or holds on: enough to replay it. */
  readonly onDecision?: (feedback: Feedback, decision: Decision) => void;
}

/**
 * Stands between what makes packets and the network, with a controller: no more is under way than the link carries soon,
 * and what waits for too long is dropped, so that the past is not played. It has no clock: every call says the time.
 */
export class PacedOutput<Packet extends PaceablePacket> {
  readonly #host: PacedOutputHost<Packet>;
  #settings: ControlSettings;
  #state: ControlState;
  #decision: Decision;
  #waiting: { readonly packet: Packet; readonly madeMs: number }[] = [];
  #dropped: { firstFrameIndex: number; frameCount: number } | undefined;
  /** When the receiver last said something that nothing was sent after. */
  #unansweredMs = -Infinity;

  constructor(settings: ControlSettings, nowMs: number, host: PacedOutputHost<Packet>) {
    this.#host = host;
    this.#settings = settings;
    const start = stepControl(
      startControl(settings, nowMs),
      { kind: 'tick', nowMs, bufferedBytes: 0 },
      settings,
    );
    this.#state = start.state;
    this.#decision = start.decision;
  }

  /** What the next packet should be. */
  get shape(): PacketShape {
    return this.#decision;
  }

  /** What was decided last, with its reasons. */
  get decision(): Decision {
    return this.#decision;
  }

  /** Another range of codebooks. */
  setRange(range: Pick<ControlSettings, 'minQuantizers' | 'maxQuantizers'>): void {
    this.#settings = { ...this.#settings, ...range };
  }

  /** Takes the next packet. */
  packet(packet: Packet, nowMs: number): void {
    this.#waiting.push({ packet, madeMs: nowMs });
    this.#sendWhatMay(nowMs);
  }

  /** Takes what the receiver has said, or that time has passed. */
  feedback(feedback: Exclude<Feedback, { kind: 'sent' }>): void {
    if (feedback.kind === 'ack') this.#unansweredMs = feedback.nowMs;
    const { state, decision } = stepControl(this.#state, feedback, this.#settings);
    this.#state = state;
    this.#decision = decision;
    this.#host.onDecision?.(feedback, decision);
    this.#sendWhatMay(feedback.nowMs);
  }

  /** Sends all that waits: something has to be said behind it. */
  release(nowMs: number): void {
    for (const { packet } of this.#waiting.splice(0)) this.#send(packet, nowMs);
    this.#sayDropped();
  }

  /** The connection is another one: nothing is under way on it. */
  restart(nowMs: number): void {
    this.release(nowMs);
    this.#state = {
      ...startControl(this.#settings, nowMs),
      targetBitsPerSecond: this.#state.targetBitsPerSecond,
      bitsPerCode: this.#state.bitsPerCode,
    };
  }

  #sendWhatMay(nowMs: number): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (nowMs - next.madeMs > this.#decision.maxAgeMs) {
        this.#waiting.shift();
        this.#drop(next.packet);
      } else if (this.#mayTransmit(next.packet, nowMs)) {
        this.#waiting.shift();
        this.#send(next.packet, nowMs);
      } else return;
    }
  }

  #mayTransmit(packet: Packet, nowMs: number): boolean {
    const { inFlight } = this.#state;
    // One packet may always be under way, or nothing would ever be acknowledged again.
    if (inFlight.length === 0) return true;
    const underWay = inFlight.reduce((total, { wireBytes }) => total + wireBytes, 0);
    // Without a packet to do it on, TCP would acknowledge what the receiver has said in one of its own.
    const sparedBytes = nowMs - this.#unansweredMs < DELAYED_ACK_MS ? TCP_IP_HEADER_BYTES : 0;
    return underWay + wireBytesOf(packet.bytes.length) - sparedBytes <= this.#decision.maxInFlightBytes;
  }

  #send(packet: Packet, nowMs: number): void {
    const gapBytes = this.#dropped ? GAP_WIRE_BYTES : 0;
    this.#sayDropped();
    this.#host.send(packet);
    this.#unansweredMs = -Infinity;
    const sent: Extract<Feedback, { kind: 'sent' }> = {
      kind: 'sent',
      nowMs,
      endFrameIndex: packet.firstFrameIndex + packet.frameCount,
      wireBytes: gapBytes + wireBytesOf(packet.bytes.length),
      ...(packet.askedCodes === undefined
        ? {}
        : {
            codes: {
              bytes: packet.bytes.length - tokensHeaderBytes(packet.firstFrameIndex, packet.frameCount),
              asked: packet.askedCodes,
            },
          }),
    };
    this.#state = noteSent(this.#state, sent);
    this.#host.onDecision?.(sent, this.#decision);
  }

  #drop({ firstFrameIndex, frameCount }: Packet): void {
    if (this.#dropped) this.#dropped.frameCount += frameCount;
    else this.#dropped = { firstFrameIndex, frameCount };
  }

  #sayDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = undefined;
    if (dropped) this.#host.drop(dropped.firstFrameIndex, dropped.frameCount);
  }
}
