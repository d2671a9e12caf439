/** What {@link JitterTarget} keeps to; milliseconds. */
export interface TargetBounds {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Arrivals that are looked back on. */
const WINDOW = 150;
/** Of the arrivals, this share has to be in time. */
const IN_TIME = 0.97;

/** Chooses how much sound to hold, so that most packets come before they are due. */
export class JitterTarget {
  readonly #bounds: TargetBounds;
  readonly #transitsMs: number[] = [];
  #targetMs: number;

  constructor(bounds: TargetBounds) {
    this.#bounds = bounds;
    this.#targetMs = bounds.minMs;
  }

  /** The sound to hold. */
  get targetMs(): number {
    return this.#targetMs;
  }

  /**
   * Counts a packet of `packetMs` whose sound ends at `endMs` of the stream and which came at `arrivalMs`. The spread of
   * the differences is the jitter; the packet itself has to be whole before its first sample can be played.
   */
  add(arrivalMs: number, endMs: number, packetMs: number): void {
    this.#transitsMs.push(arrivalMs - endMs);
    if (this.#transitsMs.length > WINDOW) this.#transitsMs.shift();
    const sorted = [...this.#transitsMs].sort((one, other) => one - other);
    const late = sorted[Math.ceil(IN_TIME * sorted.length) - 1]! - sorted[0]!;
    this.#targetMs = Math.min(this.#bounds.maxMs, Math.max(this.#bounds.minMs, late + packetMs));
  }

  /** What came before says nothing of what comes: after an outage, or where positions begin anew. */
  reset(): void {
    this.#transitsMs.length = 0;
  }
}
