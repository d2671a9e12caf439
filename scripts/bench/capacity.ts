import { percentile } from './machine.js';

/** So many of the frames must be in time. */
export const IN_TIME_SHARE = 0.99;
/** A search ends when it knows the greatest number of sessions to a part of so many. */
const RESOLUTION = 25;

/** What so many sessions at once got. */
export interface Trial {
  readonly sessions: number;
  readonly frames: number;
  /** Frames that never came. */
  readonly lost: number;
  /** Of those that came, from the time they were due to be sent. */
  readonly medianMs: number;
  readonly p99Ms: number;
  /** Share of the frames sent that were lost or late, 0 to 1. */
  readonly lateShare: number;
}

/** Sums up a trial: the latencies of the frames that came, how many had been sent, and after how long one is late. */
export function summarizeTrial(
  sessions: number,
  frames: number,
  latenciesMs: readonly number[],
  lateMs: number,
): Trial {
  const inTime = latenciesMs.filter((latency) => latency <= lateMs).length;
  return {
    sessions,
    frames,
    lost: frames - latenciesMs.length,
    medianMs: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    lateShare: frames === 0 ? 0 : 1 - inTime / frames,
  };
}

/** Whether that many sessions can be served: nothing is lost, and 99% is in time. */
export function isServed({ lost, lateShare }: Trial): boolean {
  return lost === 0 && lateShare <= 1 - IN_TIME_SHARE;
}

/** A search's outcome. */
export interface Capacity {
  /** The greatest number of sessions that was served; 0 when not even one was. */
  readonly sessions: number;
  /** In the order in which they were made. */
  readonly trials: readonly Trial[];
}

/** Finds the greatest number of sessions that is served: doubles from `first` until it fails, then halves the gap. */
export async function findCapacity(
  first: number,
  tryOut: (sessions: number) => Promise<Trial>,
): Promise<Capacity> {
  const trials: Trial[] = [];
  let served = 0;
  let failed = Infinity;
  for (let sessions = first; ;) {
    const trial = await tryOut(sessions);
    trials.push(trial);
    if (isServed(trial)) served = sessions;
    else failed = sessions;
    if (failed - served <= Math.max(1, Math.floor(served / RESOLUTION))) return { sessions: served, trials };
    sessions = failed === Infinity ? 2 * served : Math.floor((served + failed) / 2);
  }
}

/** How many times the sessions of another way; a dash where that served none. */
export function ratio(one: Capacity, other: Capacity): string {
  return other.sessions === 0 ? '–' : (one.sessions / other.sessions).toFixed(1);
}

/** Markdown rows of trials, by the number of sessions. */
export function trialTable(trials: readonly Trial[]): string {
  const rows = [...trials]
    .sort((one, other) => one.sessions - other.sessions)
    .map(({ sessions, frames, lost, medianMs, p99Ms, lateShare }) =>
      [
        sessions,
        frames,
        lost,
        medianMs.toFixed(1),
        p99Ms.toFixed(1),
        `${(100 * lateShare).toFixed(2)}%`,
      ].join(' | '),
    );
  return [
    '| sessions | frames | lost | median ms | 99% ms | late or lost |',
    '|---|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}
