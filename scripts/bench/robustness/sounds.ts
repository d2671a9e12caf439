import { seededRandom } from '../random.js';

/** Seconds of every sound that is made here. */
export const SOUND_SECONDS = 4;

/** Formants of sung vowels, in Hz, with their bandwidths. */
const VOWELS = {
  a: [
    [800, 80],
    [1150, 90],
    [2900, 120],
  ],
  i: [
    [350, 50],
    [2000, 100],
    [2800, 120],
  ],
  o: [
    [450, 70],
    [800, 80],
    [2830, 100],
  ],
} as const satisfies Record<string, readonly (readonly [number, number])[]>;

/** Samples of a function of time in seconds. */
export function sampled(sampleRate: number, valueAt: (seconds: number) => number): Float32Array {
  return Float32Array.from({ length: SOUND_SECONDS * sampleRate }, (_, at) => valueAt(at / sampleRate));
}

/** A sine of this peak. */
export function tone(sampleRate: number, hz: number, peak: number): Float32Array {
  return sampled(sampleRate, (seconds) => peak * Math.sin(2 * Math.PI * hz * seconds));
}

/** White noise of this level in dB of full scale (RMS), uniform, seeded. */
export function whiteNoise(length: number, levelDb: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  const peak = Math.sqrt(3) * 10 ** (levelDb / 20);
  return Float32Array.from({ length }, () => peak * (2 * random() - 1));
}

/**
 * A voice that sings: pulses with vibrato through three resonators, half a second a note, the vowel changes with it.
 * `semitones` count from `baseHz`.
 */
export function singing(sampleRate: number, baseHz: number, semitones: readonly number[]): Float32Array {
  const names = Object.keys(VOWELS) as (keyof typeof VOWELS)[];
  const output = new Float32Array(SOUND_SECONDS * sampleRate);
  const noteSamples = sampleRate / 2;
  let phase = 0;
  const memory = Array.from({ length: 3 }, () => [0, 0] as [number, number]);
  output.forEach((_, at) => {
    const note = Math.floor(at / noteSamples);
    const seconds = at / sampleRate;
    const vibrato = 0.3 * Math.sin(2 * Math.PI * 5.5 * seconds);
    const hz = baseHz * 2 ** (((semitones[note % semitones.length] ?? 0) + vibrato) / 12);
    phase += hz / sampleRate;
    const isPulse = phase >= 1;
    if (isPulse) phase -= 1;
    const attack = Math.min(1, (at % noteSamples) / (0.04 * sampleRate));
    const formants = VOWELS[names[note % names.length] ?? 'a'];
    let sum = 0;
    formants.forEach(([frequencyHz, bandwidthHz], formant) => {
      const state = memory[formant] ?? [0, 0];
      const radius = Math.exp((-Math.PI * bandwidthHz) / sampleRate);
      const feedback = 2 * radius * Math.cos((2 * Math.PI * frequencyHz) / sampleRate);
      const value =
        (isPulse ? (1 - radius) * 0.7 ** formant : 0) + feedback * state[0] - radius ** 2 * state[1];
      memory[formant] = [value, state[0]];
      sum += value;
    });
    output[at] = attack * sum;
  });
  return atPeak(output, 0.5);
}

/** Plucked chords, half a second each: harmonics that die away the sooner the higher they are. */
export function chords(sampleRate: number, rootsHz: readonly number[]): Float32Array {
  const triad = [1, 5 / 4, 3 / 2, 2];
  return atPeak(
    sampled(sampleRate, (seconds) => {
      const since = seconds % 0.5;
      const root = rootsHz[Math.floor(seconds / 0.5) % rootsHz.length] ?? 220;
      let sum = 0;
      for (const ratio of triad) {
        for (let harmonic = 1; harmonic <= 6; harmonic += 1) {
          const hz = root * ratio * harmonic;
          sum += (Math.exp(-since * (3 + harmonic)) / harmonic) * Math.sin(2 * Math.PI * hz * since);
        }
      }
      return sum * Math.min(1, since / 0.003);
    }),
    0.5,
  );
}

/** Drums: a falling tone on every beat, a burst of noise between. */
export function drums(sampleRate: number): Float32Array {
  const random = seededRandom(5);
  return atPeak(
    sampled(sampleRate, (seconds) => {
      const since = seconds % 0.25;
      const isBass = Math.floor(seconds / 0.25) % 2 === 0;
      const noise = 2 * random() - 1;
      return isBass
        ? Math.exp(-12 * since) * Math.sin(2 * Math.PI * (50 * since + 3 * (1 - Math.exp(-30 * since))))
        : 0.6 * Math.exp(-25 * since) * noise;
    }),
    0.5,
  );
}

/** The same with its peak at `peak`; silence stays silence. */
export function atPeak(signal: Float32Array, peak: number): Float32Array {
  const present = signal.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  return present === 0 ? signal : signal.map((sample) => (sample * peak) / present);
}
