import type { Task, TaskResult } from './measure.js';
import { meanScores, type MeanScores } from './scores.js';
import type { RowSummary } from './threadMessages.js';

/** Means over a set of recordings of what one codec at one setting does. */
export interface Figures {
  readonly name: string;
  readonly family: string;
  /** Of all bits over all seconds. */
  readonly kbps: number;
  /** Seconds of sound in a second of encoding and decoding. */
  readonly timesRealTime: number;
  /** Against what went in. */
  readonly scores: MeanScores;
  /** Against the speech before noise was added to it. */
  readonly cleanScores?: MeanScores;
}

/** A set of recordings, and what the codecs make of it. */
export interface SetFigures {
  readonly name: string;
  readonly description: string;
  readonly recordings: number;
  readonly seconds: number;
  readonly rows: readonly Figures[];
  /** Of what went in, against the speech before noise was added to it. */
  readonly inputScores?: MeanScores;
}

/** The figures of every row over a set; `results` are those of `tasks`, in order. */
export function summarize(
  set: { readonly name: string; readonly description: string },
  tasks: readonly Task[],
  results: readonly TaskResult[],
  rows: readonly RowSummary[],
  sampleRate: number,
): SetFigures {
  const seconds = tasks.reduce((sum, { input }) => sum + input.length, 0) / sampleRate;
  const figures = rows.map(({ name, family }): Figures => {
    const all = results.flatMap((result) => result.rows.filter((row) => row.name === name));
    const clean = all.flatMap(({ cleanScores }) => cleanScores ?? []);
    const total = (valueOf: (row: (typeof all)[number]) => number): number =>
      all.reduce((sum, row) => sum + valueOf(row), 0);
    return {
      name,
      family,
      kbps: total(({ bits }) => bits) / seconds / 1000,
      timesRealTime: (1000 * seconds) / total(({ workMs }) => workMs),
      scores: meanScores(all.map(({ scores }) => scores)),
      ...(clean.length > 0 && { cleanScores: meanScores(clean) }),
    };
  });
  const inputs = results.flatMap(({ inputScores }) => inputScores ?? []);
  return {
    name: set.name,
    description: set.description,
    recordings: tasks.length,
    seconds,
    rows: figures,
    ...(inputs.length > 0 && { inputScores: meanScores(inputs) }),
  };
}
