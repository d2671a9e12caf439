import type { BitrateRange } from '../../protocol/clientMessages.js';
import {
  connect,
  type TesseraError,
  type ModelSummary,
  type Session,
  type TokenBlock,
} from '../../sdk/index.js';
import type { SimulatedLink } from '../link/simulatedLink.js';

/** Whom a stream tells; positions are samples of the input's time line. */
export interface StreamHandlers {
  readonly onTokens: (block: TokenBlock) => void;
  readonly onPcm: (pcm: Float32Array, first: number) => void;
  /** Nothing comes for the positions below `end` any more. */
  readonly onGap: (end: number) => void;
  /** The connection broke, and is being made anew; or it is there again. */
  readonly onConnection: (isThere: boolean) => void;
  /** It ended by itself. */
  readonly onEnd: (error: TesseraError) => void;
}

/** What a stream begins with. */
export interface StreamOptions {
  /** The most codebooks of a frame. */
  readonly quantizers: number;
  /** The server follows the link, with fewer codebooks and more frames a packet; else each frame comes at once. */
  readonly isAdaptive: boolean;
  /** Where the sound is at home; its rate is that of the samples that are sent. */
  readonly context: AudioContext;
  /** Tokens are decoded in this page: told of the decoder's download, from 0 to 1, the first time. Undefined: by the server. */
  readonly onDownload: ((share: number) => void) | undefined;
}

/** The client's files, served beside the page. */
export const CLIENT_FILES = {
  worklets: '/client/worklets.js',
  worker: '/client/worker.js',
  wasm: '/client/ort-wasm-simd-threaded.wasm',
} as const;

/** Where encoding and decoding in this page find what they run. */
export function localOptions(): {
  readonly workletUrl: string;
  readonly workerUrl: string;
  readonly wasmUrl: string;
} {
  return {
    workletUrl: CLIENT_FILES.worklets,
    workerUrl: new URL(CLIENT_FILES.worker, location.href).href,
    wasmUrl: new URL(CLIENT_FILES.wasm, location.href).href,
  };
}

/** Where this page's server answers WebSockets. */
export function streamUrl(): string {
  return new URL('/v1/stream', location.href).href.replace(/^http/, 'ws');
}

/** What the server says of itself when a session opens. @throws TesseraError where there is none, or no room. */
export async function askForModel(): Promise<ModelSummary> {
  const session = await connect(streamUrl(), { mode: 'decode', reconnect: false });
  const { model } = session;
  void session.close();
  return model;
}

/** The codebooks that a listener allows. Where the link is adapted to, the server's rate control chooses among them. */
export function rangeOf(quantizers: number, isAdaptive = false): BitrateRange {
  return { minQuantizers: 1, maxQuantizers: quantizers, control: isAdaptive ? 'adaptive' : 'fixed' };
}

/**
 * Sound on its way to tokens and back. One session of the service makes tokens, which come down the simulated link; they
 * become sound again in this page, or by a second session.
 */
export class CodecStream {
  readonly #encoder: Session;
  readonly #isAdaptive: boolean;
  readonly #handlers: StreamHandlers;
  #decoder: Session | undefined;
  #isClosed = false;

  private constructor(encoder: Session, isAdaptive: boolean, handlers: StreamHandlers) {
    this.#encoder = encoder;
    this.#isAdaptive = isAdaptive;
    this.#handlers = handlers;
    const { hop, decoderDelaySamples } = encoder.model;
    encoder.on('tokens', (block) => handlers.onTokens(block));
    encoder.on('gap', ({ firstFrameIndex, frameCount }) => {
      handlers.onGap((firstFrameIndex + frameCount) * hop - decoderDelaySamples);
    });
    this.#watch(encoder);
  }

  /** Opens what it takes. @throws TesseraError where the server refuses, or the decoder does not run here. */
  static async open(
    link: SimulatedLink,
    options: StreamOptions,
    handlers: StreamHandlers,
  ): Promise<CodecStream> {
    const encoder = await connect(streamUrl(), {
      mode: 'encode',
      input: { format: 'pcm_f32le', sampleRate: options.context.sampleRate },
      bitrate: rangeOf(options.quantizers, options.isAdaptive),
      WebSocket: link.socketClass(),
    });
    const stream = new CodecStream(encoder, options.isAdaptive, handlers);
    try {
      if (options.onDownload) await stream.#decodeHere(options.context, options.onDownload);
      else await stream.#decodeThere();
    } catch (error) {
      stream.close();
      throw error;
    }
    return stream;
  }

  /** Sends the next samples of the sound. */
  send(pcm: Float32Array): void {
    if (!this.#isClosed) this.#encoder.send(pcm);
  }

  /** The most codebooks from now on. */
  setQuantizers(quantizers: number): void {
    if (!this.#isClosed) this.#encoder.setBitrate(rangeOf(quantizers, this.#isAdaptive));
  }

  /** Ends its sessions. */
  close(): void {
    this.#isClosed = true;
    void this.#encoder.close();
    void this.#decoder?.close();
  }

  async #decodeHere(audioContext: AudioContext, onDownload: (share: number) => void): Promise<void> {
    this.#encoder.on('audio', ({ samples, firstSampleIndex }) =>
      this.#handlers.onPcm(samples, firstSampleIndex),
    );
    await this.#encoder.play({
      decode: 'local',
      audioContext,
      // The client's own playback goes nowhere: the page plays both tracks side by side.
      destination: new GainNode(audioContext),
      ...localOptions(),
      onProgress: ({ receivedBytes, totalBytes }) => onDownload(totalBytes ? receivedBytes / totalBytes : 0),
    });
  }

  async #decodeThere(): Promise<void> {
    const decoder = await connect(streamUrl(), { mode: 'decode', output: { format: 'pcm_f32le' } });
    this.#decoder = decoder;
    decoder.on('audio', ({ samples, firstSampleIndex }) => this.#handlers.onPcm(samples, firstSampleIndex));
    this.#watch(decoder);
    this.#encoder.on('tokens', (block) => {
      if (!this.#isClosed) decoder.sendTokens(block);
    });
  }

  #watch(session: Session): void {
    session.on('error', (error) => {
      if (this.#isClosed) return;
      this.close();
      this.#handlers.onEnd(error);
    });
    session.on('state', () => {
      if (this.#isClosed) return;
      this.#handlers.onConnection(
        [this.#encoder, this.#decoder].every((one) => (one?.state ?? 'open') === 'open'),
      );
    });
  }
}
