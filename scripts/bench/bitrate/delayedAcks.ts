import { DELAYED_ACK_MS } from '../../../services/bitrate/index.js';

/**
 * When the TCP of a server acknowledges what its client says: on the next packet where that goes within 40 ms, else in a packet of
 * its own; and in one at once while the last packets have not been such answers, or when more is said meanwhile. As Linux does it
 * (`pingpong` in its sources).
 */
export class DelayedAcks {
  #answers = false;
  #heardMs = -Infinity;
  #dueMs = Infinity;

  /** When a packet of its own goes; Infinity where none has to. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Something came from the client. @returns whether a packet of its own goes at once, before anything that is sent in answer. */
  heard(nowMs: number): boolean {
    this.#heardMs = nowMs;
    const isAtOnce = !this.#answers || this.#dueMs < Infinity;
    this.#dueMs = isAtOnce ? Infinity : nowMs + DELAYED_ACK_MS;
    return isAtOnce;
  }

  /** A packet is sent, and acknowledges what came. */
  sent(nowMs: number): void {
    this.#dueMs = Infinity;
    if (nowMs - this.#heardMs < DELAYED_ACK_MS) this.#answers = true;
  }

  /** The packet of its own goes. */
  expire(): void {
    this.#dueMs = Infinity;
    this.#answers = false;
  }
}
