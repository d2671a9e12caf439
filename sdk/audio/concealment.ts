import { findPeriod, periodWindow } from './splice.js';

/** Made-up sound fades out within so long. */
const FADE_S = 0.06;

/** Goes on where the sound broke off: repeats its last period, ever softer, then is silent. */
export class Concealment {
  readonly #period: Float32Array;
  readonly #fadeSamples: number;
  #at = 0;

  /** `history` is what was heard last, at least `periodWindow` samples of it; shorter ones give silence. */
  constructor(history: Float32Array, sampleRate: number) {
    this.#fadeSamples = Math.round(FADE_S * sampleRate);
    const window = periodWindow(sampleRate);
    const isLongEnough = history.length >= window;
    const { samples } = isLongEnough ? findPeriod(history.subarray(-window), sampleRate) : { samples: 0 };
    this.#period = history.slice(history.length - samples);
  }

  /** Fills `target` with what comes next. */
  fill(target: Float32Array): void {
    for (let index = 0; index < target.length; index += 1) {
      const gain = Math.max(0, 1 - this.#at / this.#fadeSamples);
      target[index] = gain === 0 ? 0 : gain * (this.#period[this.#at % this.#period.length] ?? 0);
      this.#at += 1;
    }
  }
}
