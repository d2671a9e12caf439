import libsamplerate from '@alexanderolsen/libsamplerate-js';
import { TesseraError } from '../../protocol/errors.js';

type Converter = Awaited<ReturnType<typeof libsamplerate.create>>;

/** The most samples given to the converter at once: its own buffers are fixed, and this stays far below them. */
const PIECE_SAMPLES = 4096;

/**
 * Changes the sample rate of a mono stream. The output is aligned with the input (no delay to make up for), has
 * `round(inputSamples * outputRate / inputRate)` samples in all, and is the same, bit for bit, however the input was cut.
 *
 * libsamplerate's medium sinc converter (WASM): 121 dB signal to noise, pass band 90% of the lower of the two
 * Nyquist frequencies. Its fast converter cuts at 80%, which speech at 16 kHz would lose consonants to; its best one
 * costs twice the time. Equal rates pass through untouched.
 *
 * Each converter holds about 2 MB; `close()` gives it back.
 */
export class StreamingResampler {
  readonly #converter: Converter | undefined;
  readonly #inputRate: number;
  readonly #outputRate: number;
  #inputSamples = 0;
  #outputSamples = 0;
  #state: 'open' | 'flushed' | 'closed' = 'open';

  private constructor(converter: Converter | undefined, inputRate: number, outputRate: number) {
    this.#converter = converter;
    this.#inputRate = inputRate;
    this.#outputRate = outputRate;
  }

  /** Rates in Hz, each a positive integer of 192,000 at most. */
  static async create(inputRate: number, outputRate: number): Promise<StreamingResampler> {
    if (inputRate === outputRate) return new StreamingResampler(undefined, inputRate, outputRate);
    const converter = await libsamplerate.create(1, inputRate, outputRate, {
      converterType: libsamplerate.ConverterType.SRC_SINC_MEDIUM_QUALITY,
    });
    return new StreamingResampler(converter, inputRate, outputRate);
  }

  /** @returns the output samples that can be given by now: a few milliseconds behind the input, perhaps none. */
  push(samples: Float32Array): Float32Array {
    if (this.#state !== 'open') throw new TesseraError('bad_state', `The resampler is ${this.#state}.`);
    this.#inputSamples += samples.length;
    if (this.#converter === undefined) return samples;
    const pieces: Float32Array[] = [];
    for (let start = 0; start < samples.length; start += PIECE_SAMPLES) {
      pieces.push(this.#converter.full(samples.subarray(start, start + PIECE_SAMPLES)));
    }
    const output = concatSamples(pieces);
    this.#outputSamples += output.length;
    return output;
  }

  /** Ends the stream. @returns the rest of the output. */
  flush(): Float32Array {
    if (this.#state !== 'open') throw new TesseraError('bad_state', `The resampler is ${this.#state}.`);
    this.#state = 'flushed';
    if (this.#converter === undefined) return new Float32Array(0);
    let missing = Math.round((this.#inputSamples * this.#outputRate) / this.#inputRate) - this.#outputSamples;
    const pieces: Float32Array[] = [];
    // The library has no end-of-input flag; silence pushes out the samples that still wait for their right side.
    const silence = new Float32Array(PIECE_SAMPLES);
    while (missing > 0) {
      const piece = this.#converter.full(silence).subarray(0, missing);
      missing -= piece.length;
      pieces.push(piece);
    }
    return concatSamples(pieces);
  }

  /** Frees the converter; safe to call again. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#converter?.destroy();
  }
}

function concatSamples(pieces: readonly Float32Array[]): Float32Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const joined = new Float32Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}
