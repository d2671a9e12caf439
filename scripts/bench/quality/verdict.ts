import type { Figures } from './figures.js';
import { isAhead, SCORES, type MeanScores, type ScoreColumn } from './scores.js';

/** What the default model aims at, at a rate. */
interface Bar {
  readonly kbps: number;
  /** Least scores, or most where less is better. */
  readonly scores: Partial<MeanScores>;
  /** Rivals to be ahead of, and on which scores: all when left out. */
  readonly rivals: readonly { readonly name: string; readonly on?: readonly ScoreColumn['key'][] }[];
}

/** The project's bars for quality. */
export const BARS: readonly Bar[] = [
  {
    kbps: 1.5,
    scores: {},
    rivals: [
      { name: 'Codec 2 3200', on: ['stoi'] },
      { name: 'Opus 6', on: ['stoi'] },
    ],
  },
  {
    kbps: 3,
    scores: { stoi: 0.89, extendedStoi: 0.8, logMelDistance: 0.21 },
    rivals: [{ name: 'Lyra v2 3.2' }],
  },
  { kbps: 6, scores: { stoi: 0.93 }, rivals: [{ name: 'Lyra v2 6' }, { name: 'Opus 8' }] },
];

/** A nominal rate is exceeded by so much where a recording ends within a frame. */
const RATE_TOLERANCE = 1.01;

/** Tessera's best at a rate beside what it is held against. */
export interface Verdict {
  readonly kbps: number;
  /** The row of Tessera with the best STOI among those within the rate. */
  readonly tessera: Figures;
  /** Scores held against a figure. */
  readonly absolute: readonly {
    readonly score: ScoreColumn;
    readonly bar: number;
    readonly isMet: boolean;
  }[];
  readonly rivals: readonly {
    readonly rival: Figures;
    /** Those that the bar names are marked; `isAhead` is undefined for a tie in the digits shown. */
    readonly scores: readonly {
      readonly score: ScoreColumn;
      readonly isInBar: boolean;
      readonly isAhead: boolean | undefined;
    }[];
  }[];
}

/** Holds the rows of a run against the bars; rivals that were not run are left out. */
export function judge(rows: readonly Figures[]): Verdict[] {
  return BARS.flatMap(({ kbps, scores, rivals }): Verdict[] => {
    const within = rows.filter(
      (row) => row.family.startsWith('Tessera') && row.kbps <= kbps * RATE_TOLERANCE,
    );
    const [tessera] = within.sort(
      (one, other) => other.scores.stoi - one.scores.stoi || one.kbps - other.kbps,
    );
    if (!tessera) return [];
    return [
      {
        kbps,
        tessera,
        absolute: SCORES.flatMap((score) => {
          const bar = scores[score.key];
          if (bar === undefined) return [];
          const value = tessera.scores[score.key];
          return [{ score, bar, isMet: score.isHigherBetter ? value >= bar : value <= bar }];
        }),
        rivals: rivals.flatMap(({ name, on }) => {
          const rival = rows.find((row) => row.name === name);
          if (!rival) return [];
          const judged = SCORES.map((score) => ({
            score,
            isInBar: on === undefined || on.includes(score.key),
            isAhead: isAhead(score, tessera.scores, rival.scores),
          }));
          return [{ rival, scores: judged }];
        }),
      },
    ];
  });
}
