import { Lateness } from './lateness.js';
import type { RunBounds } from './turnPlanner.js';
import type { RunCost } from './runCosts.js';
import type { RunFigures } from './types.js';

/** Share of a turn's time that its runs may take: the rest is for the copies and requests between them, and for bursts. */
const PLANNED_SHARE = 0.85;
/** A frame waits for the turn under way, takes its own, and at times waits for one more: 99% are out after so many turns. */
const TURNS_A_FRAME = 2.7;
/** Of the bound on latency, for the sockets. */
const SOCKET_SHARE = 0.1;
/** Runs of so much expected time decide how the machine does now. */
const MEMORY_MS = 3000;
/** Before any have been: the measurement is taken while nothing else runs, and sockets take of the caches and the memory. */
const FIRST_SLOWDOWN = 1.2;
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
 * or throttled, takes longer for the same run. And what its frames really wait, which has the last word.
 */
export class CostModel {
  readonly #costs: readonly RunCost[];
  readonly #bounds: RunBounds;
  readonly #frameMs: number;
  readonly #latencyMs: number;
  readonly #lateness: Lateness;
  /** Time that recent runs should have taken and did take. */
  #expectedMs = MEMORY_MS;
  #actualMs = FIRST_SLOWDOWN * MEMORY_MS;

  /** `frameRate` in Hz; `maxTurnLatencyMs`: of the frames, 99% are to be back within so long, sockets included. */
  constructor(
    costs: readonly RunCost[],
    bounds: RunBounds,
    { frameRate, maxTurnLatencyMs }: { readonly frameRate: number; readonly maxTurnLatencyMs: number },
  ) {
    this.#latencyMs = (1 - SOCKET_SHARE) * maxTurnLatencyMs;
    this.#lateness = new Lateness(this.#latencyMs);
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

  /** Learns from a turn: how long each of its sessions' first frames took from its arrival to its result. */
  observeWaits(waitsMs: readonly number[]): void {
    this.#lateness.observe(waitsMs);
  }

  /** How much longer runs take now than measured: 2 for twice as long. */
  get slowdown(): number {
    return Math.min(MAX_SLOWDOWN, Math.max(1 / MAX_SLOWDOWN, this.#actualMs / this.#expectedMs));
  }

  /** At the best number of frames a run, as turns take under load, and as the machine does now; one session at least. */
  get capacity(): WorkerCapacity {
    const { maxBatch, maxFramesPerRun } = this.#bounds;
    let best = { sessions: 0, encodeShare: 0.5 };
    for (let frames = 1; frames <= maxFramesPerRun; frames *= 2) {
      const turnMs = Math.min(PLANNED_SHARE * frames * this.#frameMs, this.#latencyMs / TURNS_A_FRAME);
      const sessions = this.#sessionsWithin(turnMs / this.slowdown, frames);
      if (sessions <= best.sessions) continue;
      const encodeMs = this.expectedMs({ graph: 'encoder', sessions: maxBatch, frames });
      const decodeMs = this.expectedMs({ graph: 'decoder', sessions: maxBatch, frames });
      best = { sessions, encodeShare: encodeMs / (encodeMs + decodeMs) };
    }
    return { ...best, sessions: Math.max(1, Math.floor(this.#lateness.room * best.sessions)) };
  }

  /** Full-duplex sessions whose runs of so many frames, full ones and one of the rest, should take `ms` at most. */
  #sessionsWithin(ms: number, frames: number): number {
    const { maxBatch } = this.#bounds;
    const runsMs = (sessions: number): number =>
      this.expectedMs({ graph: 'encoder', sessions, frames }) +
      this.expectedMs({ graph: 'decoder', sessions, frames });
    const fullRuns = Math.floor(ms / runsMs(maxBatch));
    const restMs = ms - fullRuns * runsMs(maxBatch);
    const perSessionMs = (runsMs(maxBatch) - runsMs(1)) / (maxBatch - 1);
    const rest = restMs < runsMs(1) ? 0 : 1 + (perSessionMs > 0 ? (restMs - runsMs(1)) / perSessionMs : 0);
    return fullRuns * maxBatch + Math.floor(Math.min(rest, maxBatch - 1));
  }
}
