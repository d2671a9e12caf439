import type { ClientMessage } from '../protocol/clientMessages.js';

/** Under rate control, which works with them; else they only let the server forget what has arrived. */
const INTERVAL_MS = { adaptive: 100, fixed: 1000 } as const;

/** Says what has arrived, as often as is of use to the server's rate control. */
export class Acknowledgements {
  readonly #say: (ack: ClientMessage) => void;
  #lastMs = -Infinity;
  #later: ReturnType<typeof setTimeout> | undefined;

  constructor(say: (ack: ClientMessage) => void) {
    this.#say = say;
  }

  /** Since the last one. */
  get ageMs(): number {
    return performance.now() - this.#lastMs;
  }

  /**
   * All frames of the server's session below `nextFrameIndex` have come, and so much sound waits to be played. To be called
   * as frames come and not by a timer: those of hidden pages run once a second at best. `control` is that of the bitrate.
   */
  note(nextFrameIndex: number, bufferMs: number, control: keyof typeof INTERVAL_MS = 'fixed'): void {
    clearTimeout(this.#later);
    const arrivalMs = performance.now();
    const say = (): void => {
      this.#lastMs = performance.now();
      this.#say({ type: 'ack', nextFrameIndex, bufferMs: Math.max(0, bufferMs), arrivalMs });
    };
    const waitMs = INTERVAL_MS[control] - this.ageMs;
    if (waitMs <= 0) say();
    // Rate control may hold the next frame back until this one is acknowledged.
    else if (control === 'adaptive') this.#later = setTimeout(say, waitMs);
  }
}
