import { PassThrough } from 'node:stream';
import { TesseraError } from '../../protocol/errors.js';
import { checkAudioShape } from './limits.js';
import { PcmPipeline } from './pcmPipeline.js';
import { openAudio } from './source.js';
import type { AudioSource } from './source.js';
import type { PcmFormat } from './wavFormat.js';

/** Interleaved PCM without a header. */
export interface RawPcmFormat {
  readonly format: 'pcm_s16le' | 'pcm_f32le';
  /** In Hz. */
  readonly sampleRate: number;
  readonly channels: number;
}

/** What a live session sends. Raw PCM says what it is here; `wav` and `container` say it in their bytes. */
export type IngestFormat = RawPcmFormat | { readonly format: 'wav' | 'container' };

/** How an `AudioIngest` hands over its samples. */
export interface AudioIngestOptions {
  /** Of the output, in Hz. */
  readonly sampleRate: number;
  /** What messages call the stream. */
  readonly name?: string;
  /** Bytes that may wait to be read before `push` holds its caller back; twice as many are refused. */
  readonly maxWaitingBytes?: number;
}

const DEFAULT_MAX_WAITING_BYTES = 262_144;

/**
 * A live stream of audio bytes, pushed in pieces of any size (a sample may be cut in two), read as mono samples:
 *
 * ```ts
 * socket.on('message', (bytes) => ingest.push(bytes));       // await it: that is the backpressure
 * for await (const samples of ingest) await encoder.push(samples);
 * ```
 *
 * What waits is bounded: `push` resolves when there is room again. Each session has its own; nothing is shared.
 */
export class AudioIngest {
  readonly #input: PassThrough;
  readonly #format: IngestFormat;
  readonly #options: AudioIngestOptions;
  readonly #name: string;
  readonly #maxWaitingBytes: number;
  #state: 'open' | 'ended' | 'closed' = 'open';
  /** The recording came to its own end, before its bytes did: chunks may follow the samples of a WAV file. */
  #isComplete = false;
  #isRead = false;
  #opening: Promise<AudioSource> | undefined;
  #pipeline: PcmPipeline | undefined;

  /**
   * @throws TesseraError `bad_audio` or `unsupported_audio` for a sample rate or channel count that cannot be.
   */
  constructor(format: IngestFormat, options: AudioIngestOptions) {
    this.#name = options.name ?? 'the audio stream';
    this.#format = format;
    this.#options = options;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? DEFAULT_MAX_WAITING_BYTES;
    if ('sampleRate' in format) checkAudioShape(this.#name, format.sampleRate, format.channels);
    this.#input = new PassThrough({
      writableHighWaterMark: this.#maxWaitingBytes,
      readableHighWaterMark: 0,
    });
    this.#input.on('error', () => undefined);
  }

  /**
   * Takes the next bytes, which must not be changed afterwards. Await each call before the next. What follows the end
   * of a recording, such as the chunks behind the samples of a WAV file, is passed over.
   * @returns when there is room for more.
   * @throws TesseraError `input_overflow` where the caller does not wait and twice the bound is reached; `bad_state`
   * after `end()`, `close()` or a failed read.
   */
  async push(bytes: Uint8Array): Promise<void> {
    if (this.#isComplete) return;
    if (this.#state !== 'open') throw new TesseraError('bad_state', `${this.#name} is ${this.#state}.`);
    // Where the reader has let go already, its end is under way, good or bad: the iteration tells.
    if (bytes.length === 0 || this.#input.destroyed) return;
    if (this.#input.writableLength >= 2 * this.#maxWaitingBytes) {
      throw new TesseraError(
        'input_overflow',
        `${this.#name}: audio came faster than it was read: ${this.#input.writableLength} bytes wait.`,
      );
    }
    if (this.#input.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#input.off('drain', settle).off('close', settle);
        resolve();
      };
      this.#input.on('drain', settle).on('close', settle);
    });
  }

  /** No more bytes will come; the iteration gives the rest and ends. Safe to call again. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#input.end();
  }

  /**
   * The mono samples, in [-1, 1], as soon as they are complete; pieces of no fixed length, none empty. Once only.
   * @throws TesseraError `bad_audio` for samples that are no finite numbers, for damaged, empty or cut-off WAV;
   * `unsupported_audio` where ffmpeg cannot read the container.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Float32Array> {
    if (this.#isRead) throw new TesseraError('bad_state', `${this.#name} can be read only once.`);
    this.#isRead = true;
    try {
      yield* 'sampleRate' in this.#format ? this.#readPcm(this.#format) : this.#readFile(this.#format.format);
    } catch (error) {
      if (this.#isClosed()) return;
      throw TesseraError.from(error);
    } finally {
      await this.close();
    }
  }

  /** Drops what waits, ends any process, lets go of a waiting `push` and ends the iteration. Safe to call again. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#input.destroy();
    this.#pipeline?.close();
    // While it still opens, the lost input makes it fail and clean up by itself.
    const source = await this.#opening?.catch(() => undefined);
    await source?.close();
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async *#readPcm(format: RawPcmFormat): AsyncGenerator<Float32Array> {
    const pcm: PcmFormat = {
      encoding: format.format === 'pcm_s16le' ? 's16' : 'f32',
      sampleRate: format.sampleRate,
      channels: format.channels,
    };
    const pipeline = await PcmPipeline.create(pcm, this.#options.sampleRate, this.#name);
    this.#pipeline = pipeline;
    for await (const bytes of this.#input as AsyncIterable<Uint8Array>) {
      if (this.#isClosed()) return;
      const samples = pipeline.push(bytes);
      if (samples.length > 0) yield samples;
    }
    if (this.#isClosed()) return;
    const rest = pipeline.flush();
    if (rest.length > 0) yield rest;
  }

  async *#readFile(format: 'wav' | 'container'): AsyncGenerator<Float32Array> {
    const { sampleRate } = this.#options;
    this.#opening = openAudio(this.#input, {
      sampleRate,
      name: this.#name,
      ...(format === 'wav' ? { only: 'wav' } : {}),
    });
    const source = await this.#opening;
    if (this.#isClosed()) return;
    yield* source;
    this.#isComplete = this.#state === 'open';
  }
}
