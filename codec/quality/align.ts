import { TesseraError } from '../../protocol/errors.js';
import { Fft } from './fft.js';
import type { Signal } from './signal.js';

/** Longest delay that {@link alignByCrossCorrelation} looks for unless told otherwise. */
export const DEFAULT_MAX_LAG_MS = 100;

/** Under this peak of normalized correlation there is no waveform to align by. */
const MIN_ALIGNING_CORRELATION = 0.1;

/** Two signals cut to the part that they share. */
export interface AlignedPair {
  readonly reference: Signal;
  readonly degraded: Signal;
  /** Samples by which `degraded` came late; negative: early. */
  readonly lagSamples: number;
}

/** Σ x[i]·y[i + lag] for every lag in -bound..bound, in blocks, so that memory does not grow with the signals. */
function crossCorrelation(x: Signal, y: Signal, bound: number): Float64Array {
  const size = 2 ** Math.ceil(Math.log2(Math.max(8 * bound, 1024)));
  const block = size - 2 * bound;
  const fft = new Fft(size);
  const [sumRe, sumIm, xRe, xIm, yRe, yIm] = Array.from({ length: 6 }, () => new Float64Array(size)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let start = 0; start < x.length; start += block) {
    for (const part of [xRe, xIm, yRe, yIm]) part.fill(0);
    xRe.set(x.subarray(start, start + block));
    const yStart = Math.max(0, start - bound);
    yRe.set(y.subarray(yStart, start + block + bound), yStart - (start - bound));
    fft.forward(xRe, xIm);
    fft.forward(yRe, yIm);
    for (let bin = 0; bin < size; bin++) {
      sumRe[bin]! += xRe[bin]! * yRe[bin]! + xIm[bin]! * yIm[bin]!;
      sumIm[bin]! += xRe[bin]! * yIm[bin]! - xIm[bin]! * yRe[bin]!;
    }
  }
  fft.inverse(sumRe, sumIm);
  return sumRe.subarray(0, 2 * bound + 1);
}

const energy = (signal: Signal): number => {
  let sum = 0;
  for (const sample of signal) sum += sample * sample;
  return sum;
};

/**
 * Shifts two signals by whole samples to the peak of their cross-correlation and cuts both to the part they share.
 * Where the peak stays under 0.1 (a vocoder that makes up its phase) it would be chance: the lag is then taken as 0.
 *
 * @param maxLagMs Bound of the lag, both ways.
 * @throws TesseraError `bad_options` where the bound is negative or not finite.
 */
export function alignByCrossCorrelation(
  reference: Signal,
  degraded: Signal,
  sampleRate: number,
  maxLagMs: number = DEFAULT_MAX_LAG_MS,
): AlignedPair {
  const wanted = Math.round((maxLagMs / 1000) * sampleRate);
  if (!Number.isFinite(wanted) || wanted < 0) {
    throw new TesseraError(
      'bad_options',
      `The longest lag, ${maxLagMs} ms, has to be a number of 0 or more.`,
    );
  }
  const bound = Math.min(wanted, reference.length - 1, degraded.length - 1);
  const scale = Math.sqrt(energy(reference) * energy(degraded));
  let lagSamples = 0;
  if (bound > 0 && scale > 0) {
    const correlation = crossCorrelation(reference, degraded, bound);
    let best = 0;
    for (let index = 1; index < correlation.length; index++) {
      if (correlation[index]! > correlation[best]!) best = index;
    }
    if (correlation[best]! / scale >= MIN_ALIGNING_CORRELATION) lagSamples = best - bound;
  }
  const skipReference = Math.max(0, -lagSamples);
  const skipDegraded = Math.max(0, lagSamples);
  const length = Math.min(reference.length - skipReference, degraded.length - skipDegraded);
  return {
    reference: reference.subarray(skipReference, skipReference + length),
    degraded: degraded.subarray(skipDegraded, skipDegraded + length),
    lagSamples,
  };
}
