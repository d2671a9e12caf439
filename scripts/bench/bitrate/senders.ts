import {
  AckTimer,
  GAP_WIRE_BYTES,
  packetWireBytes,
  PacedOutput,
  TCP_IP_HEADER_BYTES,
  wireBytesOf,
  type ControlSettings,
  type PaceablePacket,
} from '../../../services/bitrate/index.js';
import { ackDueMs, type AckCase, type AckTiming } from '../../../sdk/acknowledgements.js';
import { DelayedAcks } from './delayedAcks.js';
import type { Delivery, LinkModel } from './linkModel.js';

/** What became of one packet. */
export interface PacketRecord {
  readonly firstFrameIndex: number;
  readonly frameCount: number;
  readonly quantizers: number;
  readonly wireBytes: number;
  /** When its last frame was there to be sent. */
  readonly madeMs: number;
  /** Undefined for frames that were dropped and marked with a gap. */
  readonly delivery: Delivery | undefined;
}

/** Something that sends frames over a link. What it does next is known beforehand, so that several can share a link. */
export interface Sender {
  /** When the next thing happens to it. */
  readonly nextMs: number;
  /** Lets that happen. */
  advance(): void;
  /** What has become of its packets so far, in order. */
  readonly records: readonly PacketRecord[];
}

interface SimulatedPacket extends PaceablePacket {
  readonly quantizers: number;
}

/** Of the receiver, which has nothing to do with the sender's. */
const CLOCK_OFFSET_MS = 12_345;

/** Of an `ack_timing` message, about. */
const TIMING_BYTES = 60;

/** The service's own rate control, with a receiver that acknowledges as the SDK does, in messages that TCP acknowledges too. */
export class AdaptiveSender implements Sender {
  readonly records: PacketRecord[] = [];
  readonly #link: LinkModel;
  readonly #settings: ControlSettings;
  readonly #startMs: number;
  readonly #connection: number;
  readonly #output: PacedOutput<SimulatedPacket>;
  readonly #arrivals: Omit<AckCase, 'saidMs' | 'timing'>[] = [];
  readonly #ackTimer: AckTimer;
  #timing: AckTiming | undefined;
  readonly #delayedAcks = new DelayedAcks();
  /** When the receiver said the last acknowledgement. */
  #saidMs = -Infinity;
  /** When its next one is here. */
  #ackMs = Infinity;
  #nowMs: number;
  #nextFrame = 0;
  #pendingFrames = 0;
  #quantizers = 1;
  #framesPerPacket = 1;
  #isGapDue = false;
  readonly #openingBytes: number;

  /** The first frame is there at `startMs`, behind so many bytes of the connection's opening. */
  constructor(
    link: LinkModel,
    settings: ControlSettings,
    { startMs = 0, connection = 0, openingBytes = 0 } = {},
  ) {
    this.#openingBytes = openingBytes;
    this.#link = link;
    this.#settings = settings;
    this.#startMs = startMs;
    this.#connection = connection;
    this.#nowMs = startMs;
    this.#ackTimer = new AckTimer(settings.frameMs);
    this.#output = new PacedOutput<SimulatedPacket>(settings, startMs, {
      send: (packet) => this.#send(packet),
      drop: (firstFrameIndex, frameCount) => {
        this.#isGapDue = true;
        this.#note({ firstFrameIndex, frameCount });
      },
    });
  }

  get nextMs(): number {
    return Math.min(this.#frameMs, this.#ackMs, this.#delayedAcks.dueMs);
  }

  get #frameMs(): number {
    return this.#startMs + this.#nextFrame * this.#settings.frameMs;
  }

  /** The receiver will acknowledge the oldest of what it does not have acknowledged. */
  #planAck(): void {
    const [oldest] = this.#arrivals;
    this.#ackMs = oldest
      ? ackDueMs({ ...oldest, saidMs: this.#saidMs, timing: this.#timing }) + this.#link.returnDelayMs
      : Infinity;
  }

  advance(): void {
    this.#nowMs = this.nextMs;
    if (this.#delayedAcks.dueMs <= this.#nowMs) {
      this.#delayedAcks.expire();
      this.#link.occupy(this.#nowMs, TCP_IP_HEADER_BYTES);
    } else if (this.#ackMs > this.#nowMs) this.#frame();
    else this.#acknowledge();
  }

  #acknowledge(): void {
    this.#saidMs = this.#nowMs - this.#link.returnDelayMs;
    const count = this.#arrivals.filter(({ arrivalMs }) => arrivalMs <= this.#saidMs).length;
    const newest = this.#arrivals.splice(0, count).at(-1);
    if (this.#delayedAcks.heard(this.#nowMs)) this.#link.occupy(this.#nowMs, TCP_IP_HEADER_BYTES);
    this.#planAck();
    if (newest === undefined) return;
    const { arrivalMs, endFrameIndex: nextFrameIndex } = newest;
    const timing = this.#ackTimer.heard(this.#saidMs, this.#nowMs);
    if (timing) {
      this.#timing = { ...timing, frameMs: this.#settings.frameMs };
      this.#link.occupy(this.#nowMs, wireBytesOf(TIMING_BYTES));
      this.#delayedAcks.sent(this.#nowMs);
      this.#planAck();
    }
    this.#output.feedback({
      kind: 'ack',
      nowMs: this.#nowMs,
      nextFrameIndex,
      bufferMs: 0,
      arrivalMs: arrivalMs + CLOCK_OFFSET_MS,
      heldMs: this.#saidMs - arrivalMs,
    });
  }

  /** As the gateway does it: what a packet is, is decided with its first frame. */
  #frame(): void {
    if (this.#nextFrame === 0) this.#link.occupy(this.#nowMs, this.#openingBytes);
    this.#output.feedback({ kind: 'tick', nowMs: this.#nowMs, bufferedBytes: 0 });
    if (this.#pendingFrames === 0) {
      ({ quantizers: this.#quantizers, framesPerPacket: this.#framesPerPacket } = this.#output.shape);
    }
    this.#nextFrame += 1;
    this.#pendingFrames += 1;
    if (this.#pendingFrames < this.#framesPerPacket) return;
    const shape = { quantizers: this.#quantizers, framesPerPacket: this.#pendingFrames };
    const firstFrameIndex = this.#nextFrame - this.#pendingFrames;
    const length = frameBytesOf(packetWireBytes(shape, this.#settings, firstFrameIndex));
    this.#pendingFrames = 0;
    this.#ackTimer.made(this.#nextFrame, this.#nowMs);
    const { quantizers, framesPerPacket: frameCount } = shape;
    this.#output.packet({ firstFrameIndex, frameCount, quantizers, bytes: { length } }, this.#nowMs);
  }

  #send({ firstFrameIndex, frameCount, quantizers, bytes }: SimulatedPacket): void {
    const wireBytes = wireBytesOf(bytes.length) + (this.#isGapDue ? GAP_WIRE_BYTES : 0);
    this.#isGapDue = false;
    const delivery = this.#link.send(this.#nowMs, wireBytes, this.#connection);
    this.#note({ firstFrameIndex, frameCount, quantizers, wireBytes, delivery });
    this.#delayedAcks.sent(this.#nowMs);
    this.#arrivals.push({
      arrivalMs: delivery.arrivalMs,
      endFrameIndex: firstFrameIndex + frameCount,
      frameCount,
    });
    if (this.#arrivals.length === 1) this.#planAck();
  }

  #note(
    packet: Pick<PacketRecord, 'firstFrameIndex' | 'frameCount'> &
      Partial<Pick<PacketRecord, 'quantizers' | 'wireBytes' | 'delivery'>>,
  ): void {
    const { firstFrameIndex, frameCount } = packet;
    const madeMs = this.#startMs + (firstFrameIndex + frameCount - 1) * this.#settings.frameMs;
    this.records.push({ quantizers: 0, wireBytes: 0, delivery: undefined, ...packet, madeMs });
  }
}

/** Packets that follow no link: of so many frames, and so many bytes on the wire, which may go in a cycle. */
export interface FixedPackets {
  readonly framesPerPacket: number;
  /** 0 for what is no stream of codebooks. */
  readonly quantizers: number;
  readonly wireBytes: readonly number[];
}

/** Always the same packets, all of them given to TCP: what there is without rate control. */
export class FixedSender implements Sender {
  readonly records: PacketRecord[] = [];
  readonly #link: LinkModel;
  readonly #packets: FixedPackets;
  readonly #frameMs: number;

  constructor(link: LinkModel, packets: FixedPackets, frameMs: number) {
    this.#link = link;
    this.#packets = packets;
    this.#frameMs = frameMs;
  }

  get nextMs(): number {
    return ((this.records.length + 1) * this.#packets.framesPerPacket - 1) * this.#frameMs;
  }

  advance(): void {
    const { framesPerPacket: frameCount, quantizers, wireBytes: sizes } = this.#packets;
    const wireBytes = sizes[this.records.length % sizes.length] ?? 0;
    const madeMs = this.nextMs;
    const delivery = this.#link.send(madeMs, wireBytes);
    const firstFrameIndex = this.records.length * frameCount;
    this.records.push({ firstFrameIndex, frameCount, quantizers, wireBytes, madeMs, delivery });
  }
}

/** The bytes of a binary frame that takes so many on the wire. */
function frameBytesOf(wireBytes: number): number {
  const short = wireBytes - wireBytesOf(0);
  return wireBytesOf(short) === wireBytes ? short : short - 2;
}
