import { PcmDecoder } from './pcmDecoder.js';
import { StreamingResampler } from './resampler.js';
import type { PcmFormat } from './wavFormat.js';

/**
 * The one way from PCM bytes to what the codec takes, for files, pipes and sessions alike: interleaved samples → mean
 * of the channels → target rate → clamp to [-1, 1]. Values beyond full scale (float recordings, the overshoot
 * of a resampler at clipped peaks) are accepted and clamped last, as a sound card would do.
 */
export class PcmPipeline {
  readonly #decoder: PcmDecoder;
  readonly #resampler: StreamingResampler;

  private constructor(decoder: PcmDecoder, resampler: StreamingResampler) {
    this.#decoder = decoder;
    this.#resampler = resampler;
  }

  /** `format` must have passed `checkAudioShape`; `name` is the file or stream, for messages. */
  static async create(format: PcmFormat, targetRate: number, name: string): Promise<PcmPipeline> {
    const resampler = await StreamingResampler.create(format.sampleRate, targetRate);
    return new PcmPipeline(new PcmDecoder(format, name), resampler);
  }

  /** @throws TesseraError `bad_audio` for a sample that is not a finite number. */
  push(bytes: Uint8Array): Float32Array {
    return clamp(this.#resampler.push(this.#decoder.push(bytes)));
  }

  /** The end of the stream. A sample that was cut short by it is dropped. */
  flush(): Float32Array {
    return clamp(this.#resampler.flush());
  }

  /** Frees the resampler. */
  close(): void {
    this.#resampler.close();
  }
}

function clamp(samples: Float32Array): Float32Array {
  for (let index = 0; index < samples.length; index++) {
    const sample = samples[index] ?? 0;
    if (sample > 1) samples[index] = 1;
    else if (sample < -1) samples[index] = -1;
  }
  return samples;
}
