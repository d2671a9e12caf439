import { TesseraError } from '../../protocol/errors.js';
import { resampleForScoring, shortTimeMagnitudes, type Signal } from './signal.js';

const STOI_RATE_HZ = 10_000;
const FRAME_SAMPLES = 256;
const HOP_SAMPLES = 128;
const FFT_SIZE = 512;
const BAND_COUNT = 15;
const LOWEST_CENTRE_HZ = 150;
const SEGMENT_FRAMES = 30;
const CLIP_DB = -15;
const SILENCE_DB = 40;

/** A Hann window without its zero ends. */
const WINDOW = Float64Array.from(
  { length: FRAME_SAMPLES },
  (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (index + 1)) / (FRAME_SAMPLES + 1)),
);

/** Bins [first, end) of each third-octave band: the edges are rounded to the nearest bin. */
const BAND_BINS = Array.from({ length: BAND_COUNT }, (_, band) => {
  const bin = (side: number) =>
    Math.round((LOWEST_CENTRE_HZ * 2 ** ((2 * band + side) / 6) * FFT_SIZE) / STOI_RATE_HZ);
  return { first: bin(-1), end: bin(1) };
});

/** Third-octave magnitudes by time. */
interface Bands {
  readonly frameCount: number;
  /** BAND_COUNT rows of frameCount values. */
  readonly rows: readonly Float64Array[];
}

interface BandPair {
  readonly x: Bands;
  readonly y: Bands;
}

/**
 * Starts of the frames to look at. As in the authors' implementation, a frame that would end on the very last sample
 * is not taken.
 */
function frameStarts(length: number): number[] {
  const count = Math.max(0, Math.ceil((length - FRAME_SAMPLES) / HOP_SAMPLES));
  return Array.from({ length: count }, (_, frame) => frame * HOP_SAMPLES);
}

/** Starts of the frames less than 40 dB under the loudest. */
function activeFrameStarts(reference: Float64Array): number[] {
  const starts = frameStarts(reference.length);
  const levelsDb = starts.map((start) => {
    let energy = 0;
    for (let index = 0; index < FRAME_SAMPLES; index++) {
      energy += (reference[start + index]! * WINDOW[index]!) ** 2;
    }
    return 20 * Math.log10(Math.sqrt(energy) + Number.EPSILON);
  });
  const thresholdDb = levelsDb.reduce((loudest, level) => Math.max(loudest, level), -Infinity) - SILENCE_DB;
  return starts.filter((_, frame) => levelsDb[frame]! > thresholdDb);
}

function bandsOf(signal: Float64Array, activeStarts: readonly number[]): Bands {
  // The active frames overlap-add to a shorter signal.
  const joined = new Float64Array((activeStarts.length + 1) * HOP_SAMPLES);
  activeStarts.forEach((start, frame) => {
    for (let index = 0; index < FRAME_SAMPLES; index++) {
      joined[frame * HOP_SAMPLES + index]! += signal[start + index]! * WINDOW[index]!;
    }
  });
  const { frameCount, binCount, magnitudes } = shortTimeMagnitudes(
    joined.subarray(0, -1),
    WINDOW,
    HOP_SAMPLES,
    FFT_SIZE,
  );
  const rows = BAND_BINS.map(({ first, end }) =>
    Float64Array.from({ length: frameCount }, (_, frame) => {
      let power = 0;
      for (let bin = first; bin < end; bin++) power += magnitudes[frame * binCount + bin]! ** 2;
      return Math.sqrt(power);
    }),
  );
  return { frameCount, rows };
}

function bandPair(reference: Signal, degraded: Signal, sampleRate: number): BandPair {
  const x = resampleForScoring(reference, sampleRate, STOI_RATE_HZ);
  const y = resampleForScoring(degraded, sampleRate, STOI_RATE_HZ);
  const length = Math.min(x.length, y.length);
  const starts = activeFrameStarts(x.subarray(0, length));
  const bands = { x: bandsOf(x, starts), y: bandsOf(y, starts) };
  if (bands.x.frameCount < SEGMENT_FRAMES) {
    throw new TesseraError(
      'bad_audio',
      `STOI needs 0.4 s of speech (${SEGMENT_FRAMES} frames), got ${bands.x.frameCount} frames. Use a longer recording.`,
    );
  }
  return bands;
}

function norm(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

/** Takes the mean off and scales to unit length; constant values become zeros. */
function standardize(values: Float64Array): Float64Array {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  const result = new Float64Array(values.length);
  for (let index = 0; index < values.length; index++) result[index] = values[index]! - mean;
  const scale = norm(result) + Number.EPSILON;
  for (let index = 0; index < result.length; index++) result[index]! /= scale;
  return result;
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < x.length; index++) sum += x[index]! * y[index]!;
  return sum;
}

/** Frames begin..begin+30 of every band. */
const segment = (bands: Bands, begin: number): Float64Array[] =>
  bands.rows.map((row) => row.subarray(begin, begin + SEGMENT_FRAMES));

/**
 * Short-time objective intelligibility (Taal et al. 2011), of aligned signals: 1 for identical ones, about 0 for
 * unrelated ones. Frames where the reference is silent do not count.
 *
 * @throws TesseraError `bad_audio` where there is less than 0.4 s of speech.
 */
export function stoi(reference: Signal, degraded: Signal, sampleRate: number): number {
  return stoiOf(bandPair(reference, degraded, sampleRate));
}

function stoiOf({ x, y }: BandPair): number {
  const ceiling = 1 + 10 ** (-CLIP_DB / 20);
  const segmentCount = x.frameCount - SEGMENT_FRAMES + 1;
  let sum = 0;
  for (let begin = 0; begin < segmentCount; begin++) {
    const degradedBands = segment(y, begin);
    segment(x, begin).forEach((clean, band) => {
      const heard = degradedBands[band]!;
      const gain = norm(clean) / (norm(heard) + Number.EPSILON);
      const clipped = heard.map((value, frame) => Math.min(value * gain, clean[frame]! * ceiling));
      sum += dot(standardize(clean), standardize(clipped));
    });
  }
  return sum / (segmentCount * BAND_COUNT);
}

/** Bands standardized over time, then each frame over its bands: BAND_COUNT values for each of 30 frames. */
function standardizedFrames(bands: readonly Float64Array[]): Float64Array[] {
  const rows = bands.map(standardize);
  return Array.from({ length: SEGMENT_FRAMES }, (_, frame) =>
    standardize(new Float64Array(rows.map((row) => row[frame]!))),
  );
}

/**
 * Extended STOI (Jensen and Taal 2016), of aligned signals: like {@link stoi}, but it also hears noise whose level
 * follows the speech.
 *
 * @throws TesseraError `bad_audio` where there is less than 0.4 s of speech.
 */
export function extendedStoi(reference: Signal, degraded: Signal, sampleRate: number): number {
  return extendedStoiOf(bandPair(reference, degraded, sampleRate));
}

/** {@link stoi} and {@link extendedStoi} for the work of one. @throws what they throw. */
export function intelligibility(
  reference: Signal,
  degraded: Signal,
  sampleRate: number,
): { stoi: number; extendedStoi: number } {
  const pair = bandPair(reference, degraded, sampleRate);
  return { stoi: stoiOf(pair), extendedStoi: extendedStoiOf(pair) };
}

function extendedStoiOf({ x, y }: BandPair): number {
  const segmentCount = x.frameCount - SEGMENT_FRAMES + 1;
  let sum = 0;
  for (let begin = 0; begin < segmentCount; begin++) {
    const heard = standardizedFrames(segment(y, begin));
    standardizedFrames(segment(x, begin)).forEach((clean, frame) => {
      sum += dot(clean, heard[frame]!);
    });
  }
  return sum / (segmentCount * SEGMENT_FRAMES);
}
