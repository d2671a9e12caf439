/** A link to imitate. */
export interface LinkShape {
  /** Infinity: no bound. */
  readonly bitsPerSecond: number;
  /** On the way, beside the time in the queue. */
  readonly delayMs: number;
}

/**
 * When what enters a link leaves it: one message after the other at the link's rate, behind what is still in its queue,
 * and after its delay. The order is kept, nothing is lost; what has entered keeps its time when the shape changes.
 */
export class Bottleneck {
  #shape: LinkShape;
  #freeAtMs = 0;
  #lastOutMs = 0;

  constructor(shape: LinkShape) {
    this.#shape = shape;
  }

  /** Takes the place of the shape from the next message on. */
  set shape(shape: LinkShape) {
    this.#shape = shape;
  }

  /** A message of so many bytes enters at `nowMs`. @returns when it leaves, never before one that entered earlier. */
  enter(bytes: number, nowMs: number): number {
    const { bitsPerSecond, delayMs } = this.#shape;
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (8000 * bytes) / bitsPerSecond;
    this.#lastOutMs = Math.max(this.#lastOutMs, this.#freeAtMs + delayMs);
    return this.#lastOutMs;
  }
}
