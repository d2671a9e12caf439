/** Frames ahead of real time before others go first: what a network holds back and then lets go at once. */
const MAX_CREDIT_FRAMES = 16;
/** What is served while the worker has nothing better to do is soon forgotten. */
const MAX_DEBT_FRAMES = 4;

/** Compares what a session has been served with the clock: who sends faster than real time must not slow the others. */
export class SessionPace {
  readonly #framesPerMs: number;
  #creditFrames = MAX_CREDIT_FRAMES;
  #lastMs: number;

  /** `frameRate` in Hz; `nowMs` of a clock that all calls share. */
  constructor(frameRate: number, nowMs: number) {
    this.#framesPerMs = frameRate / 1000;
    this.#lastMs = nowMs;
  }

  /** Whether it has had more than real time and its credit allow. */
  isAhead(nowMs: number): boolean {
    this.#creditFrames = Math.min(
      MAX_CREDIT_FRAMES,
      this.#creditFrames + (nowMs - this.#lastMs) * this.#framesPerMs,
    );
    this.#lastMs = nowMs;
    return this.#creditFrames <= 0;
  }

  /** Counts frames that are run. */
  spend(frames: number): void {
    this.#creditFrames = Math.max(-MAX_DEBT_FRAMES, this.#creditFrames - frames);
  }
}
