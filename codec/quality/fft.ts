/**
 * Complex fast Fourier transform of a fixed power-of-two size, in place, in double precision. Plain radix 2: the scores
 * need exactness and small code, not speed.
 */
export class Fft {
  /** Points of the transform. */
  readonly size: number;
  readonly #cosines: Float64Array;
  readonly #sines: Float64Array;
  readonly #reversed: Uint32Array;

  /** @throws RangeError where `size` is no power of two of at least 2. */
  constructor(size: number) {
    if (!Number.isInteger(Math.log2(size)) || size < 2) throw new RangeError(`${size} is no power of two`);
    this.size = size;
    this.#cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.#sines = Float64Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    this.#reversed = new Uint32Array(size);
    for (let index = 1; index < size; index++) {
      this.#reversed[index] = this.#reversed[index >> 1]! / 2 + (index & 1 ? size / 2 : 0);
    }
  }

  /** Replaces the signal re + i·im (both of `size` values) by its spectrum, not scaled. */
  forward(re: Float64Array, im: Float64Array): void {
    const { size } = this;
    for (let index = 0; index < size; index++) {
      const other = this.#reversed[index]!;
      if (other <= index) continue;
      [re[index], re[other]] = [re[other]!, re[index]!];
      [im[index], im[other]] = [im[other]!, im[index]!];
    }
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const cosine = this.#cosines[k * stride]!;
          const sine = this.#sines[k * stride]!;
          const low = start + k;
          const high = low + half;
          const oddRe = re[high]! * cosine + im[high]! * sine;
          const oddIm = im[high]! * cosine - re[high]! * sine;
          re[high] = re[low]! - oddRe;
          im[high] = im[low]! - oddIm;
          re[low] = re[low]! + oddRe;
          im[low] = im[low]! + oddIm;
        }
      }
    }
  }

  /** The inverse of {@link forward}, scaled by 1/size. */
  inverse(re: Float64Array, im: Float64Array): void {
    // Exchanging the parts before and after a forward transform conjugates it.
    this.forward(im, re);
    for (let index = 0; index < this.size; index++) {
      re[index] = re[index]! / this.size;
      im[index] = im[index]! / this.size;
    }
  }
}
