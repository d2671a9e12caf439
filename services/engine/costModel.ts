import type { RunBounds } from './turnPlanner.js';
import type { RunCost } from './runCosts.js';
import type { RunFigures } from './types.js';

/** Share of a worker's time that may be planned for: the rest is for bursts, requests and their copies. */
const PLANNED_SHARE = 0.8;
/** Runs of so much expected time decide how the machine does now. */
const MEMORY_MS = 3000;
/** At most so much is corrected, either way: something else is wrong beyond. */
const MAX_SLOWDOWN = 8;

type Shape = Pick<RunFigures, 'graph' | 'sessions' | 'frames'>;

/** How many sessions a worker carries, in full-duplex ones, and how much of one is encoding. */
export interface WorkerCapacity {
  readonly sessions: number;
  readonly encodeShare: number;
}

/**
 * What the runs of a worker cost, measured when it started and corrected by every run since: a machine that is shared,
 * or throttled, takes longer for the same run.
 */
export class CostModel {
  readonly #costs: readonly RunCost[];
  readonly #bounds: RunBounds;
  readonly #frameMs: number;
  readonly #maxTurnLatencyMs: number;
  /** Time that recent runs should have taken and did take. */
  #expectedMs = MEMORY_MS;
  #actualMs = MEMORY_MS;

  /** `frameRate` in Hz; `maxTurnLatencyMs`: a shape counts only if its frames can be gathered and run within so long. */
  constructor(
    costs: readonly RunCost[],
    bounds: RunBounds,
    { frameRate, maxTurnLatencyMs }: { readonly frameRate: number; readonly maxTurnLatencyMs: number },
  ) {
    this.#maxTurnLatencyMs = maxTurnLatencyMs;
    this.#costs = costs;
    this.#bounds = bounds;
    this.#frameMs = 1000 / frameRate;
  }

  /** What a run should take, by the measurement. */
  expectedMs({ graph, sessions, frames }: Shape): number {
    const cost = this.#costs.find((each) => each.graph === graph && each.frames === frames);
    if (cost === undefined) return 0;
    const share = this.#bounds.maxBatch === 1 ? 0 : (sessions - 1) / (this.#bounds.maxBatch - 1);
    return cost.oneMs + share * (cost.fullMs - cost.oneMs);
  }

  /** Learns from a run. */
  observe(run: RunFigures): void {
    const expectedMs = this.expectedMs(run);
    if (expectedMs === 0) return;
    const kept = Math.exp(-expectedMs / MEMORY_MS);
    this.#expectedMs = this.#expectedMs * kept + expectedMs;
    this.#actualMs = this.#actualMs * kept + run.durationMs;
  }

  /** How much longer runs take now than measured: 2 for twice as long. */
  get slowdown(): number {
    return Math.min(MAX_SLOWDOWN, Math.max(1 / MAX_SLOWDOWN, this.#actualMs / this.#expectedMs));
  }

  /** At the best number of frames a run, as turns take under load, and as the machine does now; one session at least. */
  get capacity(): WorkerCapacity {
    let best = { sessions: 0, encodeShare: 0.5 };
    for (let frames = 1; frames <= this.#bounds.maxFramesPerRun; frames *= 2) {
      const encodeMs = this.expectedMs({ graph: 'encoder', sessions: this.#bounds.maxBatch, frames });
      const decodeMs = this.expectedMs({ graph: 'decoder', sessions: this.#bounds.maxBatch, frames });
      const turnMs = (encodeMs + decodeMs) * this.slowdown;
      if (frames > 1 && frames * this.#frameMs + turnMs > this.#maxTurnLatencyMs) break;
      const sessions = (PLANNED_SHARE * this.#frameMs * frames * this.#bounds.maxBatch) / turnMs;
      if (sessions > best.sessions) best = { sessions, encodeShare: encodeMs / (encodeMs + decodeMs) };
    }
    return { ...best, sessions: Math.max(1, Math.floor(best.sessions)) };
  }
}
