import { TesseraError } from '../../protocol/errors.js';
import { resampleForScoring, shortTimeMagnitudes, type Signal, type Spectrogram } from './signal.js';

/** Rate at which spectra and the scores of {@link scoreSpeech} are taken, whatever the rate of the signals. */
export const SCORING_RATE_HZ = 16_000;

const WINDOW_SAMPLES = 1024;
const HOP_SAMPLES = 256;
const MEL_BAND_COUNT = 80;
const MEL_TOP_HZ = 8_000;
const MAGNITUDE_FLOOR = 1e-5;

const WINDOW = Float64Array.from(
  { length: WINDOW_SAMPLES },
  (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / WINDOW_SAMPLES),
);

/** Triangles on the HTK mel scale with peaks of 1: for each band its first bin and the weights from there on. */
const MEL_BANK = (() => {
  const topMel = 2595 * Math.log10(1 + MEL_TOP_HZ / 700);
  const edgesHz = Array.from(
    { length: MEL_BAND_COUNT + 2 },
    (_, edge) => 700 * (10 ** ((topMel * edge) / (MEL_BAND_COUNT + 1) / 2595) - 1),
  );
  const binHz = SCORING_RATE_HZ / WINDOW_SAMPLES;
  return Array.from({ length: MEL_BAND_COUNT }, (_, band) => {
    const [low, centre, high] = [edgesHz[band]!, edgesHz[band + 1]!, edgesHz[band + 2]!];
    const first = Math.ceil(low / binHz);
    const end = Math.min(WINDOW_SAMPLES / 2 + 1, Math.floor(high / binHz) + 1);
    const weights = Float64Array.from({ length: Math.max(0, end - first) }, (_, index) => {
      const hz = (first + index) * binHz;
      return Math.max(0, Math.min((hz - low) / (centre - low), (high - hz) / (high - centre)));
    });
    return { first, weights };
  });
})();

/** Frames centred on multiples of the hop: the signal is reflected at both ends. */
function centredMagnitudes(signal: Float64Array): Spectrogram {
  const margin = WINDOW_SAMPLES / 2;
  const padded = new Float64Array(signal.length + 2 * margin);
  padded.set(signal, margin);
  for (let index = 1; index <= margin; index++) {
    padded[margin - index] = signal[index]!;
    padded[margin + signal.length - 1 + index] = signal[signal.length - 1 - index]!;
  }
  return shortTimeMagnitudes(padded, WINDOW, HOP_SAMPLES, WINDOW_SAMPLES);
}

interface SpectrogramPair {
  readonly x: Spectrogram;
  readonly y: Spectrogram;
}

function magnitudePair(reference: Signal, degraded: Signal, sampleRate: number): SpectrogramPair {
  const x = resampleForScoring(reference, sampleRate, SCORING_RATE_HZ);
  const y = resampleForScoring(degraded, sampleRate, SCORING_RATE_HZ);
  const length = Math.min(x.length, y.length);
  if (length <= WINDOW_SAMPLES / 2) {
    const leastMs = (WINDOW_SAMPLES / 2 / SCORING_RATE_HZ) * 1000;
    throw new TesseraError(
      'bad_audio',
      `Spectra need more than ${leastMs} ms of audio. Use a longer recording.`,
    );
  }
  return { x: centredMagnitudes(x.subarray(0, length)), y: centredMagnitudes(y.subarray(0, length)) };
}

/**
 * Mean absolute difference of log10 mel magnitudes (floor 1e-5) of aligned signals: 80 bands to 8 kHz, window 1,024,
 * hop 256, at 16 kHz. 0 for identical signals.
 *
 * @throws TesseraError `bad_audio` where the signals share no more than 32 ms.
 */
export function logMelDistance(reference: Signal, degraded: Signal, sampleRate: number): number {
  return logMelDistanceOf(magnitudePair(reference, degraded, sampleRate));
}

function logMelDistanceOf({ x, y }: SpectrogramPair): number {
  const logMel = (spectrogram: Spectrogram, frame: number, band: number): number => {
    const { first, weights } = MEL_BANK[band]!;
    let sum = 0;
    for (let index = 0; index < weights.length; index++) {
      sum += weights[index]! * spectrogram.magnitudes[frame * spectrogram.binCount + first + index]!;
    }
    return Math.log10(Math.max(sum, MAGNITUDE_FLOOR));
  };
  let sum = 0;
  for (let frame = 0; frame < x.frameCount; frame++) {
    for (let band = 0; band < MEL_BAND_COUNT; band++) {
      sum += Math.abs(logMel(x, frame, band) - logMel(y, frame, band));
    }
  }
  return sum / (x.frameCount * MEL_BAND_COUNT);
}

/**
 * Log-spectral distance of aligned signals in dB, at 16 kHz: root mean square over bins (magnitude floor 1e-5), mean
 * over frames. 0 for identical signals.
 *
 * @throws TesseraError `bad_audio` where the signals share no more than 32 ms.
 */
export function logSpectralDistance(reference: Signal, degraded: Signal, sampleRate: number): number {
  return logSpectralDistanceOf(magnitudePair(reference, degraded, sampleRate));
}

/** {@link logMelDistance} and {@link logSpectralDistance} for the work of one. @throws what they throw. */
export function spectralDistances(
  reference: Signal,
  degraded: Signal,
  sampleRate: number,
): { logMelDistance: number; logSpectralDistanceDb: number } {
  const pair = magnitudePair(reference, degraded, sampleRate);
  return { logMelDistance: logMelDistanceOf(pair), logSpectralDistanceDb: logSpectralDistanceOf(pair) };
}

function logSpectralDistanceOf({ x, y }: SpectrogramPair): number {
  const levelDb = (magnitude: number): number => 20 * Math.log10(Math.max(magnitude, MAGNITUDE_FLOOR));
  let total = 0;
  for (let frame = 0; frame < x.frameCount; frame++) {
    let sum = 0;
    for (let bin = 0; bin < x.binCount; bin++) {
      const at = frame * x.binCount + bin;
      sum += (levelDb(x.magnitudes[at]!) - levelDb(y.magnitudes[at]!)) ** 2;
    }
    total += Math.sqrt(sum / x.binCount);
  }
  return total / x.frameCount;
}
