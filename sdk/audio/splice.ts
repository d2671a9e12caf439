/** Shortest and longest pitch period of speech, in seconds. */
const PERIOD = { shortest: 0.0025, longest: 0.0125 } as const;
/** Below this mean square, about -60 dB of full scale, any cut is inaudible. */
const SILENCE = 1e-6;

/** A period, and how much the sound is like itself one period later: 1 where it is the same or silent. */
export interface Period {
  readonly samples: number;
  readonly likeness: number;
}

/** Samples that {@link findPeriod} looks at. */
export function periodWindow(sampleRate: number): number {
  return 2 * Math.round(PERIOD.longest * sampleRate);
}

/** The period of the sound in `window`, of at least {@link periodWindow} samples, by the normalized correlation. */
export function findPeriod(window: Float32Array, sampleRate: number): Period {
  const shortest = Math.round(PERIOD.shortest * sampleRate);
  const longest = Math.round(PERIOD.longest * sampleRate);
  const length = window.length - longest;
  let power = 0;
  for (const sample of window) power += sample * sample;
  if (power / window.length < SILENCE) return { samples: longest, likeness: 1 };
  let best: Period = { samples: longest, likeness: 0 };
  for (let lag = shortest; lag <= longest; lag += 1) {
    let product = 0;
    let before = 0;
    let after = 0;
    for (let at = 0; at < length; at += 1) {
      const one = window[at]!;
      const other = window[at + lag]!;
      product += one * other;
      before += one * one;
      after += other * other;
    }
    const likeness = product / Math.sqrt(before * after + 1e-12);
    if (likeness > best.likeness) best = { samples: lag, likeness };
  }
  return best;
}

/** Goes over from one sound to another in `target`, evenly: `from` fades out where `to` fades in. */
export function crossfade(target: Float32Array, from: Float32Array, to: Float32Array): void {
  for (let at = 0; at < target.length; at += 1) {
    const gain = (at + 1) / (target.length + 1);
    target[at] = (from[at] ?? 0) * (1 - gain) + (to[at] ?? 0) * gain;
  }
}
