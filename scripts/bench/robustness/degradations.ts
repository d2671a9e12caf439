import { Fft } from '../../../codec/quality/fft.js';
import { seededRandom } from '../random.js';

/** Taps of the band filters. */
const FILTER_TAPS = 255;
/** What a room's reflections begin with, after the direct sound. */
const FIRST_REFLECTION_MS = 3;

const energy = (signal: Float32Array): number => signal.reduce((sum, sample) => sum + sample ** 2, 0);

/** As loud as `levelDb` more than before. */
export function amplify(signal: Float32Array, levelDb: number): Float32Array {
  const gain = 10 ** (levelDb / 20);
  return signal.map((sample) => sample * gain);
}

/** Cut off at full scale, as a converter does. */
export function clip(signal: Float32Array): Float32Array {
  return signal.map((sample) => Math.min(1, Math.max(-1, sample)));
}

/** Adds noise at a ratio over the whole signal; noise that is shorter is repeated. */
export function addNoise(signal: Float32Array, noise: Float32Array, snrDb: number): Float32Array {
  const whole = signal.map((_, at) => noise[at % noise.length] ?? 0);
  const gain = Math.sqrt(energy(signal) / Math.max(energy(whole), 1e-20)) * 10 ** (-snrDb / 20);
  return signal.map((sample, at) => sample + gain * (whole[at] ?? 0));
}

/** Keeps a band, by a linear-phase filter without delay. */
export function bandPass(
  signal: Float32Array,
  sampleRate: number,
  [lowHz, highHz]: readonly [number, number],
): Float32Array {
  const half = (FILTER_TAPS - 1) / 2;
  const lowPass = (hz: number, time: number): number =>
    time === 0 ? (2 * hz) / sampleRate : Math.sin((2 * Math.PI * hz * time) / sampleRate) / (Math.PI * time);
  const taps = Float32Array.from({ length: FILTER_TAPS }, (_, index) => {
    const time = index - half;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * time) / (half + 1));
    return window * (lowPass(highHz, time) - lowPass(lowHz, time));
  });
  return convolve(signal, taps).subarray(half, half + signal.length);
}

/**
 * Speech as heard by a microphone across a room: direct sound, then noise that dies away by 60 dB in `reverberationSeconds`
 * and has `directToReverberantDb` less energy than the direct sound. Seeded. The level is kept.
 */
export function inRoom(
  signal: Float32Array,
  sampleRate: number,
  room: {
    readonly reverberationSeconds: number;
    readonly directToReverberantDb: number;
    readonly seed: number;
  },
): Float32Array {
  const random = seededRandom(room.seed);
  const first = Math.round((FIRST_REFLECTION_MS / 1000) * sampleRate);
  const tail = Float32Array.from({ length: Math.ceil(room.reverberationSeconds * sampleRate) }, (_, at) =>
    at < first ? 0 : (2 * random() - 1) * 10 ** ((-3 * at) / (room.reverberationSeconds * sampleRate)),
  );
  const gain = 10 ** (-room.directToReverberantDb / 20) / Math.sqrt(energy(tail));
  const response = tail.map((sample, at) => (at === 0 ? 1 : gain * sample));
  const reverberant = convolve(signal, response).subarray(0, signal.length);
  const loudness = Math.sqrt(energy(signal) / Math.max(energy(reverberant), 1e-20));
  return reverberant.map((sample) => sample * loudness);
}

/** The whole convolution, `signal.length + response.length - 1` samples. */
function convolve(signal: Float32Array, response: Float32Array): Float32Array {
  const length = signal.length + response.length - 1;
  const fft = new Fft(2 ** Math.ceil(Math.log2(length)));
  // Both are real: as real and imaginary part they take one transform, and their product is in its square.
  const re = new Float64Array(fft.size);
  const im = new Float64Array(fft.size);
  re.set(signal);
  im.set(response);
  fft.forward(re, im);
  for (let bin = 0; bin < fft.size; bin += 1) {
    const [a, b] = [re[bin] ?? 0, im[bin] ?? 0];
    re[bin] = a * a - b * b;
    im[bin] = 2 * a * b;
  }
  fft.inverse(re, im);
  return Float32Array.from(im.subarray(0, length), (sample) => sample / 2);
}
