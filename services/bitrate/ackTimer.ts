/** An acknowledgement should be here so long before the next packet goes: TCP waits for 40 ms. */
const LEAD_MS = 20;
/** Packets, and acknowledgements, that the estimates remember, and from how many on they are worth telling. */
const MEMORY = { most: 16, packets: 8, acknowledgements: 3 } as const;
/** What was told is told again when it is off by so much, but not within so many milliseconds. */
const TOLERANCE_MS = 10;
const LEAST_PAUSE_MS = 5000;

/**
 * Finds when a client should acknowledge: when the next packet is about to be sent, on which TCP then acknowledges the
 * client's message. At other times it does so in a packet of its own, of 52 bytes on the very link that is short.
 */
export class AckTimer {
  readonly #frameMs: number;
  /** When packets were made, less the duration of all frames before their end. */
  readonly #originsMs: number[] = [];
  /** From the client's clock when it said something to the server's when that came. */
  readonly #offsetsMs: number[] = [];
  #endFrameIndex = 0;
  #told: { readonly originMs: number; readonly nowMs: number } | undefined;

  constructor(frameMs: number) {
    this.#frameMs = frameMs;
  }

  /** A packet is ready that ends before a frame. */
  made(endFrameIndex: number, nowMs: number): void {
    this.#endFrameIndex = endFrameIndex;
    remember(this.#originsMs, nowMs - endFrameIndex * this.#frameMs);
  }

  /**
   * An acknowledgement came. @returns what to tell the client, if anything: when, by its clock, it is best to have one on its way for a
   * packet that ends before a frame; a frame's duration later for each frame more.
   */
  heard(saidMs: number, nowMs: number): { readonly frameIndex: number; readonly atMs: number } | undefined {
    remember(this.#offsetsMs, nowMs - saidMs);
    const told = this.#told;
    if (told && nowMs - told.nowMs < LEAST_PAUSE_MS) return undefined;
    const isKnown =
      this.#originsMs.length >= MEMORY.packets && this.#offsetsMs.length >= MEMORY.acknowledgements;
    if (!isKnown) return undefined;
    const originMs = median(this.#originsMs) - LEAD_MS - Math.min(...this.#offsetsMs);
    if (told && Math.abs(originMs - told.originMs) < TOLERANCE_MS) return undefined;
    this.#told = { originMs, nowMs };
    const frameIndex = this.#endFrameIndex;
    return { frameIndex, atMs: Math.round(originMs + frameIndex * this.#frameMs) };
  }
}

function remember(values: number[], value: number): void {
  values.push(value);
  if (values.length > MEMORY.most) values.shift();
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[sorted.length >> 1] ?? NaN;
}
