import type { BitrateRange } from '../../protocol/clientMessages.js';
import { TesseraError } from '../../protocol/errors.js';
import { resolveBitrate } from '../../protocol/options.js';
import { boundSample } from '../../protocol/pcm.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import { CodecWorker, type LocalModelOptions } from './codecWorker.js';
import type { LocalRuntime } from './workerMessages.js';

/** Codebooks or bits a second that are encoded: the most within the range. */
export type LocalBitrate = Omit<BitrateRange, 'control' | 'depth'>;

/** What `encodeLocally` may be told. */
export interface LocalEncodeOptions extends LocalModelOptions {
  /** The model's most when left out. */
  readonly bitrate?: LocalBitrate;
  /** Frames of one packet of tokens, 1 when left out: more cost delay, and fewer bytes of headers. */
  readonly framesPerPacket?: number;
}

/** Encoding in the page, as it goes. */
export interface LocalEncoding {
  /** How many times faster than real time it runs; 0 before the first frame. */
  readonly speed: number;
  /** Sound that waits to be encoded. */
  readonly backlogMs: number;
}

/** Whom an encoder tells. */
export interface LocalEncoderHost {
  readonly onBlock: (block: TokenBlock) => void;
  readonly onError: (error: TesseraError) => void;
}

/** Sound that waits at most: of a microphone, what comes beyond is left out. */
const MAX_LIVE_BACKLOG_MS = 1000;
const MAX_BACKLOG_MS = 120_000;

/** Encodes one stream of samples in a Web Worker, from its first sample on. */
export class LocalEncoder implements LocalEncoding {
  readonly #worker: CodecWorker;
  readonly #model: ModelSummary;
  #quantizers: number;
  #pending: Float32Array;
  #pendingCount = 0;
  /** First frame of what is pending. */
  #frameIndex = 0;
  /** Place in the stream right after the last sample that was pushed. */
  #inputEnd = 0;
  #waiting: (() => void)[] = [];

  private constructor(worker: CodecWorker, model: ModelSummary, quantizers: number, framesPerPacket: number) {
    this.#worker = worker;
    this.#model = model;
    this.#quantizers = quantizers;
    this.#pending = new Float32Array(framesPerPacket * model.hop);
  }

  /**
   * Fetches the encoder and starts it.
   * @throws TesseraError `bad_options` for a bitrate that the model does not have or packets of no frames, and what `CodecWorker.create` throws.
   */
  static async create(
    options: LocalEncodeOptions & { readonly modelUrl: string },
    model: ModelSummary,
    { onBlock, onError }: LocalEncoderHost,
  ): Promise<LocalEncoder> {
    const { maxQuantizers } = resolveBitrate(options.bitrate, model);
    const { framesPerPacket = 1 } = options;
    if (!Number.isInteger(framesPerPacket) || framesPerPacket < 1) {
      throw new TesseraError(
        'bad_options',
        `framesPerPacket is ${framesPerPacket}: it must be a whole number from 1`,
      );
    }
    const worker = await CodecWorker.create('encoder', options, model, {
      onResult: (result) => {
        if (result.kind === 'tokens') onBlock(result.block);
        if (encoder.backlogMs === 0) encoder.#tellWaiting();
      },
      onError,
    });
    const encoder = new LocalEncoder(worker, model, maxQuantizers, framesPerPacket);
    return encoder;
  }

  /** What it runs on. */
  get runtime(): LocalRuntime {
    return this.#worker.runtime;
  }

  get speed(): number {
    return this.#worker.speed;
  }

  get backlogMs(): number {
    return this.#worker.backlogMs;
  }

  /** @throws TesseraError see {@link CodecWorker.requireRealTime} */
  requireRealTime(): void {
    this.#worker.requireRealTime();
  }

  /** Another bitrate, from the next packet on. @throws TesseraError `bad_options` */
  setBitrate(bitrate: LocalBitrate): void {
    this.#quantizers = resolveBitrate(bitrate, this.#model).maxQuantizers;
  }

  /**
   * Takes the next samples: mono, at the model's rate, in [-1, 1] (what is beyond is clipped).
   * @throws TesseraError `bad_audio` for a sample that is not finite; `input_overflow` where two minutes wait already.
   */
  push(pcm: Float32Array): void {
    const pushedMs = (1000 * pcm.length) / this.#model.sampleRate;
    if (this.backlogMs + pushedMs > MAX_BACKLOG_MS) {
      throw new TesseraError(
        'input_overflow',
        'Too much sound waits to be encoded: send smaller pieces, and flush',
      );
    }
    const wrong = pcm.findIndex((sample) => !Number.isFinite(sample));
    if (wrong >= 0)
      throw new TesseraError('bad_audio', `Sample ${wrong} is ${pcm[wrong]}: samples must be finite`);
    this.#append(pcm);
    this.#inputEnd = this.#position;
  }

  /** Takes the next samples of a live source; what comes while a second waits already becomes a gap. */
  pushLive(pcm: Float32Array): void {
    if (this.backlogMs <= MAX_LIVE_BACKLOG_MS) {
      this.push(pcm);
      return;
    }
    this.#frameIndex += Math.round((this.#pendingCount + pcm.length) / this.#model.hop);
    this.#pendingCount = 0;
  }

  /**
   * Fills up with silence so that the server's decoder, which lags behind, gives back every sample so far. The stream may
   * go on. @returns when the tokens of it all have been told.
   */
  async flush(): Promise<void> {
    const { hop, decoderDelaySamples } = this.#model;
    const frames = this.#inputEnd === 0 ? 0 : Math.ceil((this.#inputEnd + decoderDelaySamples) / hop);
    this.#append(new Float32Array(Math.max(0, frames * hop - this.#position)));
    this.#cut();
    if (this.backlogMs > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Lets go of the worker; what waits is given up. */
  close(): void {
    this.#worker.close();
    this.#tellWaiting();
  }

  /** Samples of the stream so far. */
  get #position(): number {
    return this.#frameIndex * this.#model.hop + this.#pendingCount;
  }

  #append(pcm: Float32Array): void {
    for (let at = 0; at < pcm.length;) {
      const part = pcm.subarray(at, at + this.#pending.length - this.#pendingCount);
      for (const sample of part) {
        this.#pending[this.#pendingCount] = boundSample(sample);
        this.#pendingCount += 1;
      }
      at += part.length;
      if (this.#pendingCount === this.#pending.length) this.#cut();
    }
  }

  /** Has the whole frames that wait encoded. */
  #cut(): void {
    const { hop } = this.#model;
    const frameCount = Math.floor(this.#pendingCount / hop);
    if (frameCount === 0) return;
    const samples = this.#pending.slice(0, frameCount * hop);
    const piece = { firstFrameIndex: this.#frameIndex, frameCount, quantizers: this.#quantizers, samples };
    this.#frameIndex += frameCount;
    this.#pendingCount = 0;
    this.#worker.run({ kind: 'encode', piece });
  }

  #tellWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const tell of waiting) tell();
  }
}
