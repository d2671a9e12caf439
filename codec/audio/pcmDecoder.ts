import wavDecoder from 'wav-decoder';
import { TesseraError } from '../../protocol/errors.js';
import { decodePcm } from '../../protocol/pcm.js';
import { BYTES_PER_SAMPLE, WAV_HEADER_BYTES, writeWavHeader } from './wavFormat.js';
import type { PcmFormat, SampleEncoding } from './wavFormat.js';

/**
 * What wav-decoder is asked to read. It misreads two formats: 8-bit (half a step off centre) and 24-bit (the lowest
 * value comes out as +1, an audible click in clipped recordings). Those are widened first, which is exact.
 */
const READ_AS: Readonly<Record<Exclude<SampleEncoding, 's16' | 'f32'>, SampleEncoding>> = {
  u8: 's16',
  s24: 's32',
  s32: 's32',
  f64: 'f64',
};

/**
 * Interleaved PCM bytes in pieces of any size → mono samples at the same rate: the mean of the channels.
 *
 * wav-decoder takes whole files only, so every piece that it reads gets a header of its own. A sample cut by the end of a piece
 * waits for the next one.
 */
export class PcmDecoder {
  readonly #format: PcmFormat;
  readonly #name: string;
  readonly #blockBytes: number;
  /** Bytes of a block that is not complete yet. */
  #carry = new Uint8Array(0);
  #sampleIndex = 0;

  /** `name` is the file or stream, for messages. */
  constructor(format: PcmFormat, name: string) {
    this.#format = format;
    this.#name = name;
    this.#blockBytes = BYTES_PER_SAMPLE[format.encoding] * format.channels;
  }

  /**
   * @returns the mono samples that are complete now, perhaps none.
   * @throws TesseraError `bad_audio` for a sample that is not a finite number.
   */
  push(bytes: Uint8Array): Float32Array {
    const totalBytes = this.#carry.length + bytes.length;
    const samples = Math.floor(totalBytes / this.#blockBytes);
    const wholeBytes = samples * this.#blockBytes;
    if (samples === 0) {
      this.#carry = concatBytes(this.#carry, bytes);
      return new Float32Array(0);
    }
    const takenBytes = wholeBytes - this.#carry.length;
    const channels = this.#decode(bytes.subarray(0, takenBytes), wholeBytes);
    this.#carry = bytes.slice(takenBytes);
    return this.#mix(channels, samples);
  }

  #decode(bytes: Uint8Array, wholeBytes: number): readonly Float32Array[] {
    const { encoding, sampleRate, channels } = this.#format;
    if (encoding === 's16' || encoding === 'f32') {
      // What comes live. wav-decoder would make an object of every sample.
      const whole = this.#carry.length === 0 ? bytes : concatBytes(this.#carry, bytes);
      return deinterleave(decodePcm(whole, `pcm_${encoding}le`), channels);
    }
    const readAs = READ_AS[encoding];
    const dataBytes = (wholeBytes / BYTES_PER_SAMPLE[encoding]) * BYTES_PER_SAMPLE[readAs];
    const file = new Uint8Array(WAV_HEADER_BYTES + dataBytes);
    writeWavHeader(new DataView(file.buffer), { encoding: readAs, sampleRate, channels }, dataBytes);
    const data = file.subarray(WAV_HEADER_BYTES);
    if (readAs === encoding) {
      data.set(this.#carry);
      data.set(bytes, this.#carry.length);
    } else {
      widen(encoding, concatBytes(this.#carry, bytes), data);
    }
    return wavDecoder.decode.sync(file.buffer, { symmetric: true }).channelData;
  }

  #mix(channels: readonly Float32Array[], samples: number): Float32Array {
    const mono = channels[0] ?? new Float32Array(samples);
    if (channels.length > 1) {
      for (let index = 0; index < samples; index++) {
        let sum = 0;
        for (const channel of channels) sum += channel[index] ?? 0;
        mono[index] = sum / channels.length;
      }
    }
    for (let index = 0; index < samples; index++) {
      if (!Number.isFinite(mono[index])) {
        throw new TesseraError(
          'bad_audio',
          `${this.#name}: sample ${this.#sampleIndex + index} is not a finite number; ` +
            'PCM must hold finite values between -1 and 1.',
        );
      }
    }
    this.#sampleIndex += samples;
    return mono;
  }
}

function deinterleave(samples: Float32Array, channels: number): Float32Array[] {
  if (channels === 1) return [samples];
  const length = samples.length / channels;
  return Array.from({ length: channels }, (_, channel) => {
    const own = new Float32Array(length);
    for (let index = 0; index < length; index++) own[index] = samples[index * channels + channel] ?? 0;
    return own;
  });
}

/** 8-bit to 16-bit or 24-bit to 32-bit: the sample moves to the top bytes, the rest are zero. */
function widen(encoding: SampleEncoding, from: Uint8Array, to: Uint8Array): void {
  if (encoding === 'u8') {
    for (let index = 0; index < from.length; index++) to[2 * index + 1] = (from[index] ?? 0) ^ 0x80;
    return;
  }
  for (let read = 0, write = 1; read < from.length; read += 3, write += 4) {
    to[write] = from[read] ?? 0;
    to[write + 1] = from[read + 1] ?? 0;
    to[write + 2] = from[read + 2] ?? 0;
  }
}

function concatBytes(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
