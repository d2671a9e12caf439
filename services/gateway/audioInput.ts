import { setImmediate } from 'node:timers/promises';
import { TesseraError } from '../../protocol/errors.js';
import type { OpenMessage } from '../../protocol/clientMessages.js';
import type { ClientFrame } from '../../protocol/frames.js';
import { placeAudio } from '../../protocol/inputCursor.js';
import { isPcmFormat } from '../../protocol/options.js';
import { bytesPerSample } from '../../protocol/pcm.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import { AudioIngest, type IngestFormat } from '../../codec/audio/index.js';
import type { EngineSession } from '../engine/index.js';
import { InputPump } from './inputPump.js';
import type { GatewayLimits } from './limits.js';
import type { SessionInput, SessionInputHost } from './sessionInput.js';

/** Silence for lost bytes, in both raw formats. */
const ZEROS = new Uint8Array(16_384);

type Item =
  | { readonly kind: 'bytes'; readonly payload: Uint8Array }
  | { readonly kind: 'silence'; readonly byteCount: number }
  | { readonly kind: 'flush' };

/** What an {@link AudioInput} tells besides what every input does. */
export interface AudioInputHost extends SessionInputHost {
  /** So many samples, at the model's rate, go to the engine now. */
  readonly onSamples: (count: number) => void;
  /** The samples so far are a stretch: the engine is asked to flush. */
  readonly onStretchEnd: () => void;
}

/** Bytes on their way to samples, from one flush to the next. */
interface Stretch {
  readonly ingest: AudioIngest;
  /** Settles when all its samples have gone to the engine. */
  readonly fed: Promise<void>;
}

/** Input of modes `encode` and `resynth`: AUDIO in any format, turned into samples at the model's rate. */
export class AudioInput implements SessionInput {
  readonly #engine: EngineSession;
  readonly #model: ModelSummary;
  readonly #limits: GatewayLimits;
  readonly #host: AudioInputHost;
  readonly #pump: InputPump<Item>;
  readonly #format: IngestFormat;
  /** Bytes of one sample of all channels, of raw formats only. */
  readonly #blockBytes: number | undefined;
  #stretch: Stretch | undefined;
  /** Where the stretch begins that the next AUDIO frame belongs to. */
  #stretchOffset = 0;
  #nextByteOffset = 0;
  #inputBytes = 0;
  /** A file format was flushed: nothing can follow. */
  #isFileEnded = false;
  #isClosed = false;

  /** @throws TesseraError for a sample rate or channels that cannot be. */
  constructor(
    input: OpenMessage['input'],
    engine: EngineSession,
    model: ModelSummary,
    limits: GatewayLimits,
    host: AudioInputHost,
  ) {
    this.#engine = engine;
    this.#model = model;
    this.#limits = limits;
    this.#host = host;
    if (isPcmFormat(input.format)) {
      const { format, sampleRate = model.sampleRate, channels = 1 } = input;
      this.#format = { format, sampleRate, channels };
      this.#blockBytes = bytesPerSample(format) * channels;
    } else {
      this.#format = { format: input.format === 'wav' ? 'wav' : 'container' };
    }
    this.#pump = new InputPump({
      maxBytes: limits.maxInputBufferBytes,
      handle: (item) => this.#handle(item),
      onPause: host.onPause,
      onError: host.onError,
    });
  }

  get inputBytes(): number {
    return this.#inputBytes;
  }

  get nextByteOffset(): number {
    return this.#nextByteOffset;
  }

  get isPaused(): boolean {
    return this.#pump.isPaused;
  }

  add(frame: ClientFrame): void {
    if (frame.kind !== 'audio') {
      throw new TesseraError('bad_frame', 'This session takes audio: send AUDIO, not TOKENS or GAP');
    }
    if (this.#isFileEnded) {
      throw new TesseraError('bad_state', '"flush" ended the file: open another session for the next one');
    }
    const { lostBytes, payload } = placeAudio(frame, this.#nextByteOffset);
    if (lostBytes > 0) {
      this.#checkJump(lostBytes);
      this.#pump.add({ kind: 'silence', byteCount: lostBytes }, 0);
    }
    if (payload.length > 0) this.#pump.add({ kind: 'bytes', payload }, payload.length);
    this.#nextByteOffset += lostBytes + payload.length;
    this.#inputBytes += payload.length;
  }

  flush(): void {
    this.#stretchOffset = this.#nextByteOffset;
    this.#pump.add({ kind: 'flush' }, 0);
    this.#isFileEnded = this.#blockBytes === undefined;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pump.close();
    this.#stretch?.ingest.close().catch(this.#host.onError);
  }

  #checkJump(lostBytes: number): void {
    const format = this.#format;
    if (!('sampleRate' in format) || this.#blockBytes === undefined) {
      throw new TesseraError(
        'bad_frame',
        `A byte offset above ${this.#nextByteOffset} leaves a hole in the file`,
      );
    }
    const isAligned =
      lostBytes % this.#blockBytes === 0 &&
      (this.#nextByteOffset - this.#stretchOffset) % this.#blockBytes === 0;
    if (!isAligned) {
      throw new TesseraError('bad_frame', 'The byte offset jumps by a part of a sample: skip whole samples');
    }
    const lostMs = (1000 * lostBytes) / this.#blockBytes / format.sampleRate;
    if (lostMs > this.#limits.maxInputGapMs) {
      throw new TesseraError(
        'bad_frame',
        `The byte offset jumps by ${Math.round(lostMs)} ms of sound, above the limit of ${this.#limits.maxInputGapMs}`,
      );
    }
  }

  async #handle(item: Item): Promise<void> {
    switch (item.kind) {
      case 'bytes':
        await this.#push(item.payload);
        return;
      case 'silence':
        for (let left = item.byteCount; left > 0; left -= ZEROS.length) {
          await this.#push(ZEROS.subarray(0, left));
          // A few bytes ask for megabytes of silence: others get their turn between its pieces.
          await setImmediate();
          if (this.#isClosed) return;
        }
        return;
      case 'flush':
        await this.#endStretch();
    }
  }

  async #push(bytes: Uint8Array): Promise<void> {
    const { ingest, fed } = this.#current();
    try {
      await ingest.push(bytes);
    } catch (error) {
      // Where reading has failed, that is the cause and comes first.
      await fed;
      throw error;
    }
  }

  async #endStretch(): Promise<void> {
    // An empty file is an error, and so must be read; an empty stretch of samples is nothing.
    const isFirstOfFile = this.#blockBytes === undefined && this.#inputBytes === 0;
    const stretch = this.#stretch ?? (isFirstOfFile ? this.#current() : undefined);
    this.#stretch = undefined;
    if (stretch) {
      stretch.ingest.end();
      await stretch.fed;
    }
    this.#host.onStretchEnd();
    this.#engine.flush();
  }

  #current(): Stretch {
    if (this.#stretch) return this.#stretch;
    const ingest = new AudioIngest(this.#format, {
      sampleRate: this.#model.sampleRate,
      name: 'The input',
      maxWaitingBytes: this.#limits.maxInputBufferBytes / 2,
    });
    const fed = this.#feed(ingest);
    // Told to the session at once, not only when a flush awaits it.
    fed.catch((error: unknown) => {
      if (!this.#isClosed) this.#host.onError(error);
    });
    this.#stretch = { ingest, fed };
    return this.#stretch;
  }

  async #feed(ingest: AudioIngest): Promise<void> {
    for await (const samples of ingest) {
      this.#host.onSamples(samples.length);
      await this.#engine.pushPcm(samples);
    }
  }
}
