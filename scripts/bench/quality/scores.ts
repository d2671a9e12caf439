import type { SpeechScores } from '../../../codec/index.js';

/** A score as the bench shows it. */
export interface ScoreColumn {
  readonly key: Exclude<keyof SpeechScores, 'lagMs'>;
  readonly title: string;
  /** One line on what it is. */
  readonly meaning: string;
  readonly digits: number;
  /** Whether more is better. */
  readonly isHigherBetter: boolean;
  /** What its chart shows; what is beyond is drawn at the edge. */
  readonly range: readonly [number, number];
}

/** Every score of the bench, in the order of its tables. */
export const SCORES: readonly ScoreColumn[] = [
  {
    key: 'stoi',
    title: 'STOI',
    meaning: 'short-time objective intelligibility, 1 at best',
    digits: 3,
    isHigherBetter: true,
    range: [0.6, 1],
  },
  {
    key: 'extendedStoi',
    title: 'ESTOI',
    meaning: 'the same, stricter on modulated noise',
    digits: 3,
    isHigherBetter: true,
    range: [0.4, 1],
  },
  {
    key: 'logMelDistance',
    title: 'log-mel',
    meaning: 'mean absolute difference of log10 mel magnitudes',
    digits: 3,
    isHigherBetter: false,
    range: [0, 0.8],
  },
  {
    key: 'logSpectralDistanceDb',
    title: 'log-spectral, dB',
    meaning: 'root mean square difference of spectra, over bins, mean over frames',
    digits: 2,
    isHigherBetter: false,
    range: [0, 30],
  },
  {
    key: 'waveformCorrelation',
    title: 'correlation',
    meaning: 'of the waveforms, 1 at best; vocoders have none',
    digits: 3,
    isHigherBetter: true,
    range: [0, 1],
  },
  {
    key: 'segmentalSnrDb',
    title: 'segmental SNR, dB',
    meaning: 'signal to error in frames of 20 ms, each held to -10 to 35 dB',
    digits: 2,
    isHigherBetter: true,
    range: [-5, 15],
  },
  {
    key: 'pitchErrorCents',
    title: 'F0 error, cents',
    meaning: 'mean distance of F0 (by YIN) where both are voiced, an octave (1200) at most',
    digits: 1,
    isHigherBetter: false,
    range: [0, 200],
  },
  {
    key: 'voicingError',
    title: 'voicing error',
    meaning: 'share of frames of 10 ms that are voiced in one and not in the other',
    digits: 3,
    isHigherBetter: false,
    range: [0, 0.3],
  },
];

/** Means of every score. */
export type MeanScores = Readonly<Record<ScoreColumn['key'], number>>;

/** @throws RangeError for no scores. */
export function meanScores(all: readonly SpeechScores[]): MeanScores {
  if (all.length === 0) throw new RangeError('Nothing was scored');
  const means = SCORES.map(({ key }) => [key, all.reduce((sum, one) => sum + one[key], 0) / all.length]);
  return Object.fromEntries(means) as MeanScores;
}

/** Whether `one` is better than `other` beyond the digits that are shown; undefined where those are the same. */
export function isAhead(
  { key, digits, isHigherBetter }: ScoreColumn,
  one: MeanScores,
  other: MeanScores,
): boolean | undefined {
  const step = 10 ** digits;
  const difference = Math.round(one[key] * step) - Math.round(other[key] * step);
  return difference === 0 ? undefined : difference > 0 === isHigherBetter;
}
