import { TesseraError } from '../../protocol/errors.js';
import type { ClientFrame } from '../../protocol/frames.js';
import { placeAudio } from '../../protocol/inputCursor.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import { AudioIngest } from '../../codec/audio/index.js';
import type { EngineSession } from '../engine/index.js';
import { InputPump } from './inputPump.js';
import type { GatewayLimits } from './limits.js';
import { requireAudio, type SessionInput, type SessionInputHost } from './sessionInput.js';

/** Input of modes `encode` and `resynth` that is a file: its bytes are read here, by ffmpeg where it is not WAV. */
export class FileInput implements SessionInput {
  readonly #engine: EngineSession;
  readonly #host: SessionInputHost;
  readonly #pump: InputPump<Uint8Array | 'flush'>;
  readonly #ingest: AudioIngest;
  /** Settles when all samples of the file have gone to the engine; undefined until something is read. */
  #fed: Promise<void> | undefined;
  #nextByteOffset = 0;
  /** The file was flushed: nothing can follow. */
  #isEnded = false;
  #isClosed = false;

  constructor(
    format: 'wav' | 'container',
    engine: EngineSession,
    model: ModelSummary,
    limits: GatewayLimits,
    host: SessionInputHost,
  ) {
    this.#engine = engine;
    this.#host = host;
    this.#ingest = new AudioIngest(
      { format },
      { sampleRate: model.sampleRate, name: 'The input', maxWaitingBytes: limits.maxInputBufferBytes / 2 },
    );
    this.#pump = new InputPump({
      maxBytes: limits.maxInputBufferBytes,
      handle: (item) => (item === 'flush' ? this.#end() : this.#push(item)),
      onPause: host.onPause,
      onError: host.onError,
    });
  }

  get inputBytes(): number {
    return this.#nextByteOffset;
  }

  get nextByteOffset(): number {
    return this.#nextByteOffset;
  }

  get isPaused(): boolean {
    return this.#pump.isPaused;
  }

  add(frame: ClientFrame): void {
    requireAudio(frame);
    if (this.#isEnded) {
      throw new TesseraError('bad_state', '"flush" ended the file: open another session for the next one');
    }
    const { lostBytes, payload } = placeAudio(frame, this.#nextByteOffset);
    if (lostBytes > 0) {
      throw new TesseraError(
        'bad_frame',
        `A byte offset above ${this.#nextByteOffset} leaves a hole in the file`,
      );
    }
    if (payload.length > 0) this.#pump.add(payload, payload.length);
    this.#nextByteOffset += payload.length;
  }

  flush(): void {
    this.#isEnded = true;
    this.#pump.add('flush', 0);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pump.close();
    this.#ingest.close().catch(this.#host.onError);
  }

  async #push(bytes: Uint8Array): Promise<void> {
    const fed = this.#read();
    try {
      await this.#ingest.push(bytes);
    } catch (error) {
      // Where reading has failed, that is the cause and comes first.
      await fed;
      throw error;
    }
  }

  async #end(): Promise<void> {
    // A second flush finds a file that is read; an empty file is an error, and so must be read.
    const fed = this.#read();
    this.#ingest.end();
    await fed;
    this.#engine.flush();
  }

  /** Begins to read the file, once. */
  #read(): Promise<void> {
    if (this.#fed) return this.#fed;
    this.#fed = this.#feed();
    // Told to the session at once, not only when a flush awaits it.
    this.#fed.catch((error: unknown) => {
      if (!this.#isClosed) this.#host.onError(error);
    });
    return this.#fed;
  }

  async #feed(): Promise<void> {
    for await (const samples of this.#ingest) await this.#engine.pushPcm(samples);
  }
}
