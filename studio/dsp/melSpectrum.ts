import { Fft } from '../../codec/quality/fft.js';

/** What a spectrogram shows: `bands` from `minHz` to half the sample rate, one column every `hop` samples. */
export interface MelSpectrumOptions {
  readonly sampleRate: number;
  /** Samples between columns. */
  readonly hop: number;
  readonly bands: number;
  readonly minHz?: number;
  /** Level drawn as 0, in dB against full scale; full scale less {@link HEADROOM_DB} is drawn as 255. */
  readonly floorDb?: number;
}

const DEFAULT_MIN_HZ = 60;
const DEFAULT_FLOOR_DB = -92;
/** Bands of speech stay so far below full scale. */
const HEADROOM_DB = 18;
/** Of the window: long enough to part the harmonics of a low voice, short enough to keep stops apart. */
const WINDOW_SECONDS = 0.04;

/** The mel scale (O'Shaughnessy, 1987), on which equal steps sound equally far. */
export const melOfHz = (hz: number): number => 2595 * Math.log10(1 + hz / 700);
/** The inverse of {@link melOfHz}. */
export const hzOfMel = (mel: number): number => 700 * (10 ** (mel / 2595) - 1);

/** Turns a stream of samples, in pieces of any size, into columns of a log-mel spectrogram. */
export class MelSpectrum {
  readonly #options: Required<MelSpectrumOptions>;
  readonly #fft: Fft;
  readonly #window: Float64Array;
  /** Of each band: its lowest bin, and the weights from there. */
  readonly #filters: readonly { readonly first: number; readonly weights: Float64Array }[];
  readonly #history: Float32Array;
  readonly #real: Float64Array;
  readonly #imaginary: Float64Array;
  #untilColumn: number;

  constructor(options: MelSpectrumOptions) {
    this.#options = { minHz: DEFAULT_MIN_HZ, floorDb: DEFAULT_FLOOR_DB, ...options };
    const length = Math.round(WINDOW_SECONDS * options.sampleRate);
    // Twice the window: bins fine enough for the narrow bands at the bottom.
    const size = 2 ** Math.ceil(Math.log2(2 * length));
    this.#fft = new Fft(size);
    this.#window = Float64Array.from(
      { length },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / length),
    );
    this.#filters = melFilters(this.#options, size);
    this.#history = new Float32Array(length);
    this.#real = new Float64Array(size);
    this.#imaginary = new Float64Array(size);
    this.#untilColumn = options.hop;
  }

  /** Takes samples; calls `onColumn` for every column that they complete, with levels 0 to 255 from the lowest band up. */
  push(pcm: Float32Array, onColumn: (levels: Uint8Array) => void): void {
    let at = 0;
    while (at < pcm.length) {
      const piece = pcm.subarray(at, at + this.#untilColumn);
      this.#keep(piece);
      at += piece.length;
      this.#untilColumn -= piece.length;
      if (this.#untilColumn > 0) return;
      this.#untilColumn = this.#options.hop;
      onColumn(this.#column());
    }
  }

  #keep(piece: Float32Array): void {
    const { length } = this.#history;
    const tail = piece.subarray(Math.max(0, piece.length - length));
    this.#history.copyWithin(0, tail.length);
    this.#history.set(tail, length - tail.length);
  }

  #column(): Uint8Array {
    this.#real.fill(0);
    this.#imaginary.fill(0);
    for (let i = 0; i < this.#window.length; i += 1) this.#real[i] = this.#history[i]! * this.#window[i]!;
    this.#fft.forward(this.#real, this.#imaginary);
    const { floorDb } = this.#options;
    // A full-scale sine under this window has a bin of a quarter of the window's length.
    const fullScale = (this.#window.length / 4) ** 2;
    return Uint8Array.from(this.#filters, ({ first, weights }) => {
      let power = 0;
      for (let k = 0; k < weights.length; k += 1) {
        const bin = first + k;
        power += weights[k]! * (this.#real[bin]! ** 2 + this.#imaginary[bin]! ** 2);
      }
      const db = 10 * Math.log10(power / fullScale + 1e-12);
      return Math.round(255 * Math.min(1, Math.max(0, (db - floorDb) / (-HEADROOM_DB - floorDb))));
    });
  }
}

/** Triangles of equal weight, whose peaks are equally far apart in mel. */
function melFilters(
  { sampleRate, bands, minHz }: Required<MelSpectrumOptions>,
  size: number,
): { first: number; weights: Float64Array }[] {
  const lowest = melOfHz(minHz);
  const step = (melOfHz(sampleRate / 2) - lowest) / (bands + 1);
  const binOf = (index: number): number => (hzOfMel(lowest + index * step) * size) / sampleRate;
  return Array.from({ length: bands }, (_, band) => {
    const [left, peak, right] = [binOf(band), binOf(band + 1), binOf(band + 2)];
    const first = Math.min(Math.floor(left) + 1, Math.round(peak));
    const last = Math.max(Math.ceil(right) - 1, Math.round(peak));
    const weights = Float64Array.from({ length: last - first + 1 }, (__, k) => {
      const bin = first + k;
      return Math.max(0, bin <= peak ? (bin - left) / (peak - left) : (right - bin) / (right - peak));
    });
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: sum > 0 ? weights.map((weight) => weight / sum) : Float64Array.of(1) };
  });
}
