import type { InputQueue } from './inputQueue.js';
import type { SessionPace } from './sessionPace.js';

/** The bounds of one run. */
export interface RunBounds {
  /** Sessions. */
  readonly maxBatch: number;
  /** Of each session. */
  readonly maxFramesPerRun: number;
}

/** What the planner looks at of a session. */
export interface Candidate {
  readonly input: Pick<InputQueue, 'readyFrames'>;
  readonly pace: SessionPace;
  /** Since when something of it is ready, in milliseconds; undefined while nothing is. */
  readonly waitingSinceMs: number | undefined;
}

/** A session's share of a turn: a power of two of frames. */
export interface Share<Session> {
  readonly session: Session;
  readonly frames: number;
}

/** What to do now: run these, wait for more to share the run, or stop until something comes. */
export type TurnPlan<Session> =
  | { readonly kind: 'run'; readonly shares: readonly Share<Session>[] }
  | { readonly kind: 'gather' }
  | { readonly kind: 'idle' };

/** A frame waits for others to share its run for so long at most, and only while the worker is busy. */
export const MAX_GATHER_MS = 2;
/** A session with fewer frames than the rest of a turn is left for a later one for so long at most. */
export const MAX_HOLD_MS = 20;
/** Above this share of time in runs, waiting for company costs less than runs of few. */
const BUSY_SHARE = 0.5;
/** Beside others, sessions ahead of real time do not make a worker busier: the others' frames would always find it at work. */
const AHEAD_BUSY_SHARE = 0.8;
/** Sessions ahead of real time share small runs, of a part of the frames that a run may have sessions: a frame in time waits little. */
const AHEAD_PART = 8;

/**
 * Chooses who runs next. `sessions` come in the order in which they were served, longest ago first. Those within real
 * time go before those ahead of it, who get what is left and their own real-time share. All of a turn take as many
 * frames as most of them have, so that they meet in one run.
 */
export function planTurn<Session extends Candidate>(
  sessions: Iterable<Session>,
  bounds: RunBounds,
  nowMs: number,
  busyShare: number,
): TurnPlan<Session> {
  const inTime: Share<Session>[] = [];
  const ahead: Share<Session>[] = [];
  let aheadFrames = Math.ceil(bounds.maxBatch / AHEAD_PART);
  let count = 0;
  let aheadCount = 0;
  let oldestMs = nowMs;
  for (const session of sessions) {
    count += 1;
    if (session.waitingSinceMs === undefined) continue;
    const isAhead = session.pace.isAhead(nowMs);
    if (isAhead) aheadCount += 1;
    const most = Math.min(bounds.maxFramesPerRun, isAhead ? aheadFrames : Infinity);
    const ready = most === 0 ? 0 : session.input.readyFrames(most);
    if (ready === 0) continue;
    const frames = 2 ** Math.floor(Math.log2(ready));
    (isAhead ? ahead : inTime).push({ session, frames });
    if (isAhead) aheadFrames -= frames;
    else oldestMs = Math.min(oldestMs, session.waitingSinceMs);
    if (inTime.length === bounds.maxBatch) break;
  }
  if (inTime.length === 0) {
    if (ahead.length === 0) return { kind: 'idle' };
    const mayRun = busyShare < AHEAD_BUSY_SHARE || aheadCount === count;
    return mayRun ? { kind: 'run', shares: ahead } : { kind: 'gather' };
  }
  const isWorthWaiting = busyShare > BUSY_SHARE && inTime.length < Math.min(count, bounds.maxBatch);
  if (isWorthWaiting && nowMs - oldestMs < MAX_GATHER_MS) return { kind: 'gather' };
  return { kind: 'run', shares: levelled(inTime, nowMs) };
}

/** Gives all shares the middle one's frames; those with fewer wait for more, unless they have waited enough. */
function levelled<Session extends Candidate>(
  shares: readonly Share<Session>[],
  nowMs: number,
): Share<Session>[] {
  const sorted = shares.map(({ frames }) => frames).sort((one, other) => one - other);
  const level = sorted[Math.floor(sorted.length / 2)] ?? 1;
  return shares.flatMap(({ session, frames }) => {
    const isHeld = frames < level && nowMs - (session.waitingSinceMs ?? nowMs) < MAX_HOLD_MS;
    return isHeld ? [] : { session, frames: Math.min(frames, level) };
  });
}
