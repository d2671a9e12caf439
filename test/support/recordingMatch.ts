import { waveformCorrelation } from '../../codec/quality/index.js';

/** Places are sought at an eighth of the sample rate first, and near the best of them then. */
const COARSE = 8;
/** Of the excerpt that must be louder than a breath: silence is found everywhere. */
const LEAST_SPEECH = 0.4;
const BREATH = 0.003;

/**
 * Finds where in `recording` the `excerpt` lies.
 * @returns the correlation of the waveforms there: 1 where they are the same, 0 where there is no such place.
 */
export function recordingMatch(recording: Float32Array, excerpt: Float32Array): number {
  const speech = excerpt.filter((sample) => Math.abs(sample) > BREATH).length;
  if (speech < LEAST_SPEECH * excerpt.length) return 0;
  const coarse = bestPlace(decimate(recording), decimate(excerpt), 0, Infinity).place * COARSE;
  return bestPlace(recording, excerpt, Math.max(0, coarse - COARSE), coarse + COARSE).correlation;
}

function bestPlace(
  recording: Float32Array,
  excerpt: Float32Array,
  first: number,
  last: number,
): { readonly place: number; readonly correlation: number } {
  let best = { place: 0, correlation: 0 };
  for (let place = first; place <= Math.min(last, recording.length - excerpt.length); place += 1) {
    const correlation = waveformCorrelation(recording.subarray(place, place + excerpt.length), excerpt);
    if (correlation > best.correlation) best = { place, correlation };
  }
  return best;
}

function decimate(signal: Float32Array): Float32Array {
  return Float32Array.from({ length: Math.floor(signal.length / COARSE) }, (_, index) => {
    let sum = 0;
    for (let k = 0; k < COARSE; k += 1) sum += signal[index * COARSE + k]!;
    return sum / COARSE;
  });
}
