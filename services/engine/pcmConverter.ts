import type { RawPcmFormat } from '../../codec/audio/index.js';
import { PcmPipeline } from '../../codec/audio/pcmPipeline.js';

/** What a {@link PcmConverter} tells, in the order of the stream. */
export interface PcmConverterEvents {
  /** So many bytes have become these samples, maybe none: mono, at the model's rate, in [-1, 1]. */
  readonly onSamples: (samples: Float32Array, byteCount: number) => void;
  /** All samples of the stretch have been given. */
  readonly onEnd: () => void;
  /** The bytes are no audio; nothing more is given. */
  readonly onError: (error: unknown) => void;
}

/**
 * Turns a session's raw PCM into samples in its worker, which spares the thread that all sockets share. Each stretch, from
 * one {@link end} to the next, is a stream of its own.
 */
export class PcmConverter {
  readonly #format: RawPcmFormat;
  readonly #sampleRate: number;
  readonly #events: PcmConverterEvents;
  #pipeline: PcmPipeline | undefined;
  /** What came before is done, in order: a pipeline may take a moment to be made. */
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** `format` must have passed `checkAudioShape`; `sampleRate`, in Hz, is the output's. */
  constructor(format: RawPcmFormat, sampleRate: number, events: PcmConverterEvents) {
    this.#format = format;
    this.#sampleRate = sampleRate;
    this.#events = events;
  }

  /** Takes the next bytes, cut anywhere. */
  push(bytes: Uint8Array): void {
    this.#enqueue(async () => {
      this.#pipeline ??= await this.#createPipeline();
      if (!this.#isClosed) this.#events.onSamples(this.#pipeline.push(bytes), bytes.length);
    });
  }

  /** Ends the stretch. */
  end(): void {
    this.#enqueue(() => {
      const pipeline = this.#pipeline;
      this.#pipeline = undefined;
      if (pipeline) this.#events.onSamples(pipeline.flush(), 0);
      pipeline?.close();
      this.#events.onEnd();
      return Promise.resolve();
    });
  }

  /** Drops what waits, and frees the resampler. Safe to call again. */
  close(): void {
    this.#isClosed = true;
    this.#pipeline?.close();
  }

  #enqueue(task: () => Promise<void>): void {
    this.#last = this.#last
      .then(() => (this.#isClosed ? undefined : task()))
      .catch((error: unknown) => {
        if (this.#isClosed) return;
        this.close();
        this.#events.onError(error);
      });
  }

  async #createPipeline(): Promise<PcmPipeline> {
    const { format, sampleRate, channels } = this.#format;
    const encoding = format === 'pcm_s16le' ? 's16' : 'f32';
    const pipeline = await PcmPipeline.create(
      { encoding, sampleRate, channels },
      this.#sampleRate,
      'The input',
    );
    if (this.#isClosed) pipeline.close();
    return pipeline;
  }
}
