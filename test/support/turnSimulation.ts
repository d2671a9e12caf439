import type { RunCost } from '../../services/engine/runCosts.js';
import { CostModel } from '../../services/engine/costModel.js';
import { SessionPace } from '../../services/engine/sessionPace.js';
import { planTurn, type Candidate, type RunBounds } from '../../services/engine/turnPlanner.js';
import { SeededRandom } from '../unit/protocol/random.js';

const FRAME_RATE = 50;
const FRAME_MS = 1000 / FRAME_RATE;
const GATHER_MS = 1;
/** What is left of a turn besides its runs: copies, requests, reports. */
const BETWEEN_RUNS_MS = 0.5;
/** Runs of one shape differ by so much, either way. */
const RUN_SPREAD = 0.15;

/** How the frames of sessions come. */
export interface Arrivals {
  /** When the first frames are due: spread over a frame's time, all at once, or by chance. */
  readonly phases: 'even' | 'together' | 'random';
  /** Each frame comes so much too late at most, by chance. */
  readonly jitterMs: number;
}

/** A worker whose runs cost what they cost. */
export interface SimulatedWorker {
  readonly costs: readonly RunCost[];
  readonly bounds: RunBounds;
  /** Runs take so much longer than `costs` say. */
  readonly slowdown: number;
}

interface Stream extends Candidate {
  waitingSinceMs: number | undefined;
  /** When the frames came that wait. */
  readonly queue: number[];
  readonly phaseMs: number;
  sent: number;
  delayMs: number;
}

/** A worker in simulated time: the real planner, and runs that only take time. @returns what each frame took, sorted. */
export function simulateTurns(
  { costs, bounds, slowdown }: SimulatedWorker,
  count: number,
  { phases, jitterMs }: Arrivals,
  seconds: number,
): number[] {
  const seeded = new SeededRandom(12_345 + count);
  const random = (): number => seeded.below(1000) / 1000;
  const model = new CostModel(costs, bounds, { frameRate: FRAME_RATE, maxTurnLatencyMs: 100 });
  const streams = new Set<Stream>();
  for (let at = 0; at < count; at += 1) {
    const queue: number[] = [];
    const part = { even: at / count, together: 0, random: random() }[phases];
    streams.add({
      input: { readyFrames: (most) => Math.min(most, queue.length) },
      pace: new SessionPace(FRAME_RATE, 0),
      waitingSinceMs: undefined,
      queue,
      phaseMs: part * FRAME_MS,
      sent: 0,
      delayMs: 0,
    });
  }
  const dueMs = ({ phaseMs, sent, delayMs }: Stream): number => phaseMs + sent * FRAME_MS + delayMs;
  const tookMs: number[] = [];
  let nowMs = 0;
  while (nowMs < 1000 * seconds) {
    for (const stream of streams) {
      for (; dueMs(stream) <= nowMs; stream.sent += 1) {
        const cameMs = dueMs(stream);
        stream.queue.push(cameMs);
        stream.waitingSinceMs ??= cameMs;
        stream.delayMs = jitterMs * random();
      }
    }
    const plan = planTurn(streams, bounds, nowMs, 1);
    if (plan.kind === 'idle') {
      nowMs = Math.min(...[...streams].map(dueMs));
      continue;
    }
    if (plan.kind === 'gather') {
      nowMs += GATHER_MS;
      continue;
    }
    const sizes = new Map<number, number>();
    const served: number[] = [];
    for (const { session, frames } of plan.shares) {
      streams.delete(session);
      streams.add(session);
      served.push(...session.queue.splice(0, frames));
      session.pace.spend(frames);
      session.waitingSinceMs = session.queue.length > 0 ? nowMs : undefined;
      sizes.set(frames, (sizes.get(frames) ?? 0) + 1);
    }
    nowMs += BETWEEN_RUNS_MS;
    for (const [frames, sessions] of sizes) {
      for (const graph of ['encoder', 'decoder'] as const) {
        const spread = 1 + RUN_SPREAD * (2 * random() - 1);
        nowMs += slowdown * spread * model.expectedMs({ graph, sessions, frames });
      }
    }
    tookMs.push(...served.map((cameMs) => nowMs - cameMs));
  }
  return tookMs.sort((one, other) => one - other);
}
