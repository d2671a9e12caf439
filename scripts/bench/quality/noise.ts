import { whiteNoise } from '../random.js';
import type { Recording } from '../recordings.js';

const PINK_SNR_DB = 10;
const BABBLE_SNR_DB = 15;
const BABBLE_VOICES = 5;

/** What the noise is, for reports. */
export const NOISE_DESCRIPTION =
  `The same recordings with noise: every other one with pink noise at ${PINK_SNR_DB} dB (ratio of the energies of speech and noise), ` +
  `the rest with the babble of ${BABBLE_VOICES} others of them at ${BABBLE_SNR_DB} dB.`;

/** Adds noise to each recording: always the same for the same recordings in the same order. */
export function addNoise(recordings: readonly Recording[]): Recording[] {
  return recordings.map(({ name, samples }, index) => {
    const isPink = index % 2 === 0;
    const noise = isPink ? pinkNoise(samples.length, index + 1) : babble(recordings, index);
    return { name, samples: mixAt(samples, noise, isPink ? PINK_SNR_DB : BABBLE_SNR_DB) };
  });
}

/** Speech and noise at this ratio of their energies; where the sum would clip, both are turned down. */
export function mixAt(speech: Float32Array, noise: Float32Array, snrDb: number): Float32Array {
  const gain = Math.sqrt(energy(speech) / (energy(noise) * 10 ** (snrDb / 10)));
  const mixed = speech.map((sample, at) => sample + gain * (noise[at] ?? 0));
  const peak = mixed.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  return peak > 1 ? mixed.map((sample) => sample / peak) : mixed;
}

/**
 * Noise with 3 dB less in each octave up: white noise through Paul Kellet's three one-pole filters
 * (musicdsp.org, "Pink noise filter", its economy version, within 0.5 dB).
 */
export function pinkNoise(length: number, seed: number): Float32Array {
  const random = whiteNoise(seed);
  let [slow, middle, fast] = [0, 0, 0];
  return Float32Array.from({ length }, () => {
    const white = random();
    slow = 0.99765 * slow + white * 0.099046;
    middle = 0.963 * middle + white * 0.2965164;
    fast = 0.57 * fast + white * 1.0526913;
    return slow + middle + fast + white * 0.1848;
  });
}

/** The next recordings of the list at equal energy, each begun anew where it ends. */
function babble(recordings: readonly Recording[], index: number): Float32Array {
  const length = recordings[index]?.samples.length ?? 0;
  const sum = new Float32Array(length);
  for (let voice = 1; voice <= BABBLE_VOICES; voice += 1) {
    const { samples } = recordings[(index + voice) % recordings.length] ?? { samples: new Float32Array(1) };
    const gain = 1 / Math.sqrt(energy(samples) / samples.length);
    for (let at = 0; at < length; at += 1) sum[at]! += gain * (samples[at % samples.length] ?? 0);
  }
  return sum;
}

function energy(samples: Float32Array): number {
  return samples.reduce((sum, sample) => sum + sample * sample, 1e-12);
}
