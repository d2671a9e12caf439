import { resampleForScoring, type Signal } from './signal.js';

/** Rate at which pitch is tracked: harmonics above do not help to find it. */
const PITCH_RATE_HZ = 8000;
/** What voices span; shouts and falsetto beyond it count as unvoiced. */
const LOWEST_HZ = 60;
const HIGHEST_HZ = 500;
const WINDOW_MS = 25;
const HOP_MS = 10;
/** Of the normalized difference: the first dip below this is the period, else the deepest one. */
const PERIOD_THRESHOLD = 0.1;
/** A frame is voiced where the difference at its period is below this. */
const VOICING_THRESHOLD = 0.2;
/** Frames so far below the loudest are unvoiced, whatever is periodic in them. */
const SILENCE_DB = 40;
/** A frame is off by an octave at most. */
const MAX_ERROR_CENTS = 1200;

const LONGEST_LAG = Math.ceil(PITCH_RATE_HZ / LOWEST_HZ);
const SHORTEST_LAG = Math.floor(PITCH_RATE_HZ / HIGHEST_HZ);
const WINDOW_SAMPLES = (PITCH_RATE_HZ * WINDOW_MS) / 1000;
const HOP_SAMPLES = (PITCH_RATE_HZ * HOP_MS) / 1000;

/** How two signals differ in pitch. */
export interface PitchErrors {
  /** Mean distance in cents over the frames where both are voiced, an octave at most; an octave where there are none. */
  readonly pitchErrorCents: number;
  /** Share of the frames where one is voiced and the other not. */
  readonly voicingError: number;
}

/**
 * Fundamental frequency in Hz of frames 10 ms apart; 0 where a frame is unvoiced. By YIN (A. de Cheveigné, H. Kawahara:
 * "YIN, a fundamental frequency estimator for speech and music", J. Acoust. Soc. Am. 111(4), 2002), steps 1 to 5: the first dip of the
 * cumulative mean normalized difference below a threshold, refined by a parabola; 60 to 500 Hz, at 8 kHz.
 */
export function trackPitch(signal: Signal, sampleRate: number): Float64Array {
  const x = resampleForScoring(signal, sampleRate, PITCH_RATE_HZ);
  const frameCount = Math.max(0, Math.floor((x.length - WINDOW_SAMPLES - LONGEST_LAG) / HOP_SAMPLES) + 1);
  const energies = Float64Array.from({ length: frameCount }, (_, frame) => {
    const start = frame * HOP_SAMPLES;
    let sum = 0;
    for (let at = start; at < start + WINDOW_SAMPLES; at += 1) sum += x[at]! * x[at]!;
    return sum;
  });
  const floor = energies.reduce((most, energy) => Math.max(most, energy), 0) * 10 ** (-SILENCE_DB / 10);
  return energies.map((energy, frame) => (energy > floor ? framePitch(x, frame * HOP_SAMPLES) : 0));
}

/** Compares the pitch of two aligned signals, over the length that both have. */
export function pitchErrors(reference: Signal, degraded: Signal, sampleRate: number): PitchErrors {
  const length = Math.min(reference.length, degraded.length);
  const x = trackPitch(reference.subarray(0, length), sampleRate);
  const y = trackPitch(degraded.subarray(0, length), sampleRate);
  let cents = 0;
  let bothVoiced = 0;
  let different = 0;
  for (const [frame, hz] of x.entries()) {
    const other = y[frame] ?? 0;
    if (hz > 0 !== other > 0) different += 1;
    if (hz === 0 || other === 0) continue;
    bothVoiced += 1;
    cents += Math.min(MAX_ERROR_CENTS, Math.abs(1200 * Math.log2(other / hz)));
  }
  return {
    pitchErrorCents: bothVoiced > 0 ? cents / bothVoiced : MAX_ERROR_CENTS,
    voicingError: x.length > 0 ? different / x.length : 0,
  };
}

function framePitch(x: Float64Array, start: number): number {
  const normalized = normalizedDifference(x, start);
  let period = SHORTEST_LAG;
  for (let lag = SHORTEST_LAG; lag < LONGEST_LAG; lag += 1) {
    if (normalized[lag]! < normalized[period]!) period = lag;
    else if (normalized[period]! < PERIOD_THRESHOLD) break;
  }
  if (normalized[period]! >= VOICING_THRESHOLD) return 0;
  const neighbours = normalized.subarray(period - 1, period + 2);
  return PITCH_RATE_HZ / (period + vertexOffset(neighbours[0]!, neighbours[1]!, neighbours[2]!));
}

/** By lag: how much a window differs from itself so much later, over the mean of that for all shorter lags. */
function normalizedDifference(x: Float64Array, start: number): Float64Array {
  const normalized = new Float64Array(LONGEST_LAG + 1).fill(1);
  let total = 0;
  for (let lag = 1; lag <= LONGEST_LAG; lag += 1) {
    let difference = 0;
    for (let at = start; at < start + WINDOW_SAMPLES; at += 1) difference += (x[at]! - x[at + lag]!) ** 2;
    total += difference;
    if (total > 0) normalized[lag] = (difference * lag) / total;
  }
  return normalized;
}

/** Where the parabola through three neighbours has its vertex, from the middle one. */
function vertexOffset(before: number, middle: number, after: number): number {
  const curvature = before - 2 * middle + after;
  return curvature > 0 ? Math.max(-0.5, Math.min(0.5, (before - after) / (2 * curvature))) : 0;
}
