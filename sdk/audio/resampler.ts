/** Zero crossings of the sinc on each side. */
const HALF_WIDTH = 16;
/** Points of the kernel between two zero crossings; between them it is interpolated. */
const RESOLUTION = 256;

/** Kernel of a windowed sinc (von Hann), by distance in zero crossings times {@link RESOLUTION}. */
function createKernel(): Float32Array {
  return Float32Array.from({ length: HALF_WIDTH * RESOLUTION + 2 }, (_, index) => {
    const x = index / RESOLUTION;
    if (x === 0) return 1;
    if (x >= HALF_WIDTH) return 0;
    return (Math.sin(Math.PI * x) / (Math.PI * x)) * (0.5 + 0.5 * Math.cos((Math.PI * x) / HALF_WIDTH));
  });
}

/** Changes the rate of a stream of samples, by band-limited interpolation. It adds a delay of 16 samples of the lower rate. */
export class Resampler {
  readonly #step: number;
  readonly #scale: number;
  readonly #reach: number;
  readonly #kernel = createKernel();
  #pending: Float32Array;
  /** Of the next output sample, in samples of `#pending`. */
  #position: number;

  /** Rates in Hz. */
  constructor(fromRate: number, toRate: number) {
    this.#step = fromRate / toRate;
    this.#scale = Math.min(1, toRate / fromRate);
    this.#reach = Math.ceil(HALF_WIDTH / this.#scale);
    this.#pending = new Float32Array(this.#reach);
    this.#position = this.#reach;
  }

  /** Takes samples. @returns those of the other rate that can be told now. */
  push(samples: Float32Array): Float32Array {
    const input = new Float32Array(this.#pending.length + samples.length);
    input.set(this.#pending);
    input.set(samples, this.#pending.length);
    const count = Math.max(0, Math.ceil((input.length - this.#reach - this.#position) / this.#step));
    const output = new Float32Array(count);
    for (let index = 0; index < count; index += 1) {
      output[index] = this.#at(input, this.#position);
      this.#position += this.#step;
    }
    const used = Math.max(0, Math.floor(this.#position) - this.#reach);
    this.#pending = input.slice(used);
    this.#position -= used;
    return output;
  }

  #at(input: Float32Array, position: number): number {
    const first = Math.max(0, Math.ceil(position - this.#reach));
    const last = Math.min(input.length - 1, Math.floor(position + this.#reach));
    let sum = 0;
    for (let index = first; index <= last; index += 1) {
      const x = Math.abs(index - position) * this.#scale * RESOLUTION;
      const at = Math.floor(x);
      const left = this.#kernel[at] ?? 0;
      sum += input[index]! * (left + (x - at) * ((this.#kernel[at + 1] ?? 0) - left));
    }
    return sum * this.#scale;
  }
}
