/** So many sessions served decide whether there is room. */
const WINDOW = 500;
/** Of them may be late: that 99% are in time is what admission promises. */
const MAX_LATE_SHARE = 0.01;
/** Down at once and up slowly, so that the same mistake is not made again a moment later. */
const STEP_DOWN = 0.9;
const STEP_UP = 1.02;
const LEAST_ROOM = 0.5;

/**
 * What really happens, where a forecast of runs may be wrong: other work on the machine, long collections, all sessions
 * sending at the same moment. Late frames take room away, frames in time give it back.
 */
export class Lateness {
  readonly #lateMs: number;
  #served = 0;
  #late = 0;
  #room = 1;

  /** A frame that took longer from its arrival to its result, in milliseconds, is late. */
  constructor(lateMs: number) {
    this.#lateMs = lateMs;
  }

  /** How much of the forecast's sessions there is room for, 0.5 to 1. */
  get room(): number {
    return this.#room;
  }

  /** Learns from a turn: how long the first frame of each of its sessions took, in milliseconds. */
  observe(waitsMs: readonly number[]): void {
    for (const waitMs of waitsMs) {
      this.#served += 1;
      if (waitMs > this.#lateMs) this.#late += 1;
    }
    // So much is late already that nothing within the window could make up for it.
    const isLate = this.#late > MAX_LATE_SHARE * WINDOW;
    if (!isLate && this.#served < WINDOW) return;
    this.#room = isLate ? Math.max(LEAST_ROOM, STEP_DOWN * this.#room) : Math.min(1, STEP_UP * this.#room);
    this.#served = 0;
    this.#late = 0;
  }
}
