import type { Task, TaskResult } from './measure.js';

/** What a thread runs; the rest of a row stays there. */
export interface RowSummary {
  readonly name: string;
  readonly family: string;
  /** See `Row`. */
  readonly sameSoundAs?: string;
}

/** A thread that has loaded its codecs. */
export interface ThreadReady {
  readonly type: 'ready';
  readonly rows: readonly RowSummary[];
  /** Codecs that cannot run here, each with the reason. */
  readonly absent: readonly string[];
}

/** From a thread. */
export type ThreadReport = ThreadReady | { readonly type: 'result'; readonly result: TaskResult };

/** To a thread, which does one task at a time. */
export type ThreadRequest =
  { readonly type: 'task'; readonly task: Task; readonly sampleRate: number } | { readonly type: 'stop' };
