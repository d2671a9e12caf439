/** The degradations of codec/training/score_references.py, sample for sample. */

function noise(length: number, seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const energy = (signal: ArrayLike<number>): number => {
  let sum = 0;
  for (let index = 0; index < signal.length; index++) sum += signal[index]! ** 2;
  return sum;
};

/** Adds uniform white noise of the seed's sequence at a ratio over the whole signal. */
export function addNoise(signal: Float32Array, seed: number, snrDb: number): Float32Array {
  const added = noise(signal.length, seed);
  const gain = Math.sqrt(energy(signal) / energy(added)) * 10 ** (-snrDb / 20);
  return signal.map((sample, index) => sample + added[index]! * gain);
}

/** 101 taps of a sinc under a Hann window. */
export function lowPass(signal: Float32Array, sampleRate: number, cutoffHz: number): Float32Array {
  const taps = Float64Array.from({ length: 101 }, (_, index) => {
    const time = index - 50;
    const phase = (2 * Math.PI * cutoffHz * time) / sampleRate;
    return (time === 0 ? 1 : Math.sin(phase) / phase) * (0.5 + 0.5 * Math.cos((Math.PI * time) / 51));
  });
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  return signal.map((_, index) => {
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap++) sum += (taps[tap]! / total) * (signal[index + 50 - tap] ?? 0);
    return sum;
  });
}

/** Hard clipping at a share of the peak. */
export function clip(signal: Float32Array, shareOfPeak: number): Float32Array {
  const bound = signal.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0) * shareOfPeak;
  return signal.map((sample) => Math.min(bound, Math.max(-bound, sample)));
}

/** Zeros in front. */
export function delay(signal: Float32Array, samples: number): Float32Array {
  const late = new Float32Array(samples + signal.length);
  late.set(signal, samples);
  return late;
}
