import { TesseraError } from '../../protocol/errors.js';
import { Fft } from './fft.js';

/** Mono samples in [-1, 1]. The scores compute in double precision; they take what the codec gives as it is. */
export type Signal = Float32Array | Float64Array;

const RESAMPLER_REJECTION_DB = 60;

/** Modified Bessel function of the first kind, order 0, by its power series. */
function besselI0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** Low-pass taps for a change of rate by up/down, with a gain of `up`: see {@link resampleForScoring}. */
function resamplerTaps(up: number, down: number): Float64Array {
  const stop = 1 / (2 * Math.max(up, down));
  const width = stop / 10;
  const half = Math.ceil((RESAMPLER_REJECTION_DB - 8) / (28.714 * width));
  const cutoff = stop - width / 2;
  const beta = 0.1102 * (RESAMPLER_REJECTION_DB - 8.7);
  const taps = Float64Array.from({ length: 2 * half + 1 }, (_, index) => {
    const time = index - half;
    const phase = 2 * Math.PI * cutoff * time;
    const kaiser = besselI0(beta * Math.sqrt(1 - (time / half) ** 2)) / besselI0(beta);
    return kaiser * (time === 0 ? 1 : Math.sin(phase) / phase);
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => (tap / sum) * up);
}

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);

/**
 * Whole-signal polyphase resampling with a 60 dB Kaiser filter whose transition is the last tenth below the lower
 * Nyquist frequency: the design of Octave's `resample`, which reference implementations of STOI rely on. Without delay;
 * gives ceil(length · targetRate / sampleRate) samples. For live audio use codec/audio.
 *
 * @throws TesseraError `bad_options` where a rate is no positive integer.
 */
export function resampleForScoring(signal: Signal, sampleRate: number, targetRate: number): Float64Array {
  for (const rate of [sampleRate, targetRate]) {
    if (!Number.isInteger(rate) || rate <= 0) {
      throw new TesseraError('bad_options', `Sample rate ${rate} is no positive whole number of hertz.`);
    }
  }
  if (sampleRate === targetRate) return Float64Array.from(signal);
  const common = greatestCommonDivisor(sampleRate, targetRate);
  const up = targetRate / common;
  const down = sampleRate / common;
  const taps = resamplerTaps(up, down);
  const half = (taps.length - 1) / 2;
  const output = new Float64Array(Math.ceil((signal.length * up) / down));
  for (let index = 0; index < output.length; index++) {
    const centre = index * down + half;
    const first = Math.max(0, Math.ceil((centre - 2 * half) / up));
    const last = Math.min(signal.length - 1, Math.floor(centre / up));
    let sum = 0;
    for (let at = first; at <= last; at++) sum += taps[centre - at * up]! * signal[at]!;
    output[index] = sum;
  }
  return output;
}

/** Magnitudes of every frame's spectrum. */
export interface Spectrogram {
  readonly frameCount: number;
  readonly binCount: number;
  /** frameCount × binCount, a frame after the other. */
  readonly magnitudes: Float64Array;
}

/**
 * Short-time spectra of every whole frame of `signal`: frames of `window.length` samples, `hop` apart, windowed and
 * padded with zeros to `fftSize`.
 */
export function shortTimeMagnitudes(
  signal: Signal,
  window: Float64Array,
  hop: number,
  fftSize: number,
): Spectrogram {
  const frameCount = Math.max(0, Math.floor((signal.length - window.length) / hop) + 1);
  const binCount = fftSize / 2 + 1;
  const magnitudes = new Float64Array(frameCount * binCount);
  const fft = new Fft(fftSize);
  const re = new Float64Array(fftSize);
  const im = new Float64Array(fftSize);
  for (let frame = 0; frame < frameCount; frame++) {
    re.fill(0);
    im.fill(0);
    for (let index = 0; index < window.length; index++) {
      re[index] = signal[frame * hop + index]! * window[index]!;
    }
    fft.forward(re, im);
    for (let bin = 0; bin < binCount; bin++) {
      magnitudes[frame * binCount + bin] = Math.sqrt(re[bin]! ** 2 + im[bin]! ** 2);
    }
  }
  return { frameCount, binCount, magnitudes };
}
