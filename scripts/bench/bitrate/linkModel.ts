import { TRACE_STEP_MS, type LinkTrace } from './traces.js';

/** What became of a packet that entered the link. */
export interface Delivery {
  /** When the link began to carry it. */
  readonly startMs: number;
  /** When it was with the receiver. */
  readonly arrivalMs: number;
}

/** When the link begins with a packet, and when it is through with it. */
interface Carriage {
  readonly startMs: number;
  readonly endMs: number;
}

/** One way and back, without any queue. */
const PROPAGATION_MS = 40;
/** Until TCP sends again what was lost, when only few packets are under way: the least of Linux, and the way there. */
const RETRANSMISSION_MS = 200 + 2 * PROPAGATION_MS;
/** Beyond the end of a trace, so that everything arrives. */
const LAST_BITS_PER_SECOND = 20_000;

/**
 * A bottleneck: one queue, first in, first out, at the rate of a trace, then a constant delay. TCP loses nothing and keeps
 * the order, so what is lost arrives later, and all behind it of the same connection with it.
 */
export class LinkModel {
  readonly #trace: LinkTrace;
  readonly #random: () => number;
  #freeAtMs = 0;
  readonly #inOrderAtMs = new Map<number, number>();

  constructor(trace: LinkTrace, random: () => number) {
    this.#trace = trace;
    this.#random = random;
  }

  /** Of acknowledgements, which meet no queue. */
  get returnDelayMs(): number {
    return PROPAGATION_MS;
  }

  /** Takes a packet of a connection at a time not before that of the last one. */
  send(nowMs: number, wireBytes: number, connection = 0): Delivery {
    const { startMs, endMs } = this.occupy(nowMs, wireBytes);
    const isLost = this.#random() < this.#trace.lossShare;
    const onItsOwnMs = endMs + PROPAGATION_MS + (isLost ? RETRANSMISSION_MS : 0);
    const arrivalMs = Math.max(onItsOwnMs, this.#inOrderAtMs.get(connection) ?? 0);
    this.#inOrderAtMs.set(connection, arrivalMs);
    return { startMs, arrivalMs };
  }

  /** Carries a packet, and no more: begins and ends with it at these times. */
  occupy(nowMs: number, wireBytes: number): Carriage {
    const carriage = this.preview(nowMs, wireBytes);
    this.#freeAtMs = carriage.endMs;
    return carriage;
  }

  /** What {@link occupy} would give. */
  preview(nowMs: number, wireBytes: number): Carriage {
    const startMs = Math.max(nowMs, this.#freeAtMs);
    return { startMs, endMs: this.#carry(startMs, 8 * wireBytes) };
  }

  /** When so many bits are through that begin at `startMs`. */
  #carry(startMs: number, bits: number): number {
    const { bitsPerSecond } = this.#trace;
    let left = bits;
    let step = Math.floor(startMs / TRACE_STEP_MS);
    for (let atMs = startMs; ; step += 1) {
      const rate = step < bitsPerSecond.length ? (bitsPerSecond[step] ?? 0) : LAST_BITS_PER_SECOND;
      const stepEndMs = (step + 1) * TRACE_STEP_MS;
      const carried = (rate * (stepEndMs - atMs)) / 1000;
      if (carried >= left && rate > 0) return atMs + (1000 * left) / rate;
      left -= carried;
      atMs = stepEndMs;
    }
  }
}
