import { alignByCrossCorrelation, DEFAULT_MAX_LAG_MS } from './align.js';
import { pitchErrors, type PitchErrors } from './pitch.js';
import { resampleForScoring, type Signal } from './signal.js';
import { SCORING_RATE_HZ, spectralDistances } from './spectral.js';
import { intelligibility } from './stoi.js';
import { segmentalSnr, waveformCorrelation } from './waveform.js';

/** What {@link scoreSpeech} finds. */
export interface SpeechScores extends PitchErrors {
  /** Intelligibility, 1 at best. */
  readonly stoi: number;
  /** Intelligibility, stricter on modulated noise, 1 at best. */
  readonly extendedStoi: number;
  /** Mean absolute difference of log10 mel magnitudes, 0 at best. */
  readonly logMelDistance: number;
  /** -1..1, 1 at best. */
  readonly waveformCorrelation: number;
  /** 0 at best. */
  readonly logSpectralDistanceDb: number;
  /** -10..35, 35 at best. */
  readonly segmentalSnrDb: number;
  /** How late `degraded` was before it was aligned; negative: early. */
  readonly lagMs: number;
}

/**
 * Scores a degraded recording against its reference, both mono at `sampleRate`. The pair is aligned at its own rate,
 * where a codec's delay is a whole number of samples, then resampled to 16 kHz, where every score is taken. All but
 * those of pitch are defined as in codec/training/scores.py.
 *
 * @throws TesseraError `bad_audio` where less than 0.4 s of speech is left, or the reference is silent; `bad_options`
 * where the rate is no positive integer.
 */
export function scoreSpeech(
  reference: Signal,
  degraded: Signal,
  sampleRate: number,
  maxLagMs: number = DEFAULT_MAX_LAG_MS,
): SpeechScores {
  const aligned = alignByCrossCorrelation(reference, degraded, sampleRate, maxLagMs);
  const x = resampleForScoring(aligned.reference, sampleRate, SCORING_RATE_HZ);
  const y = resampleForScoring(aligned.degraded, sampleRate, SCORING_RATE_HZ);
  return {
    ...intelligibility(x, y, SCORING_RATE_HZ),
    ...spectralDistances(x, y, SCORING_RATE_HZ),
    waveformCorrelation: waveformCorrelation(x, y),
    segmentalSnrDb: segmentalSnr(x, y, SCORING_RATE_HZ),
    ...pitchErrors(x, y, SCORING_RATE_HZ),
    lagMs: (aligned.lagSamples / sampleRate) * 1000,
  };
}
