import type { OpenMessage } from '../protocol/clientMessages.js';
import { TesseraError } from '../protocol/errors.js';
import type { ClientFrame } from '../protocol/frames.js';
import { isPcmFormat } from '../protocol/options.js';
import { bytesPerSample } from '../protocol/pcm.js';
import type { ModelSummary, SessionLimits } from '../protocol/serverMessages.js';

/** `input` of the `open` message. */
export type InputFormatFields = NonNullable<OpenMessage['input']>;

/** What is to be sent, in order, to go on with a session or with a new one in its place. */
export interface Resumption {
  readonly frames: readonly ClientFrame[];
  /** Of a new session: the index, in this side's count, of its frame 0. */
  readonly frameBase: number;
}

/** The input of a session as this side counts it, over all connections; keeps what may have to be sent again. */
export interface ClientInput {
  /** What to send so that the server's session, which has so many bytes, goes on. */
  resume(inputByteOffset: number): readonly ClientFrame[];
  /**
   * What to send to a new session that takes the place of the last one, of which frames below `nextFrameIndex` (in this
   * side's count) have come out.
   * @throws TesseraError `connection_failed` where the input cannot be gone on with from its middle.
   */
  restart(nextFrameIndex: number): Resumption;
}

interface Piece {
  readonly byteOffset: number;
  readonly payload: Uint8Array;
}

/** Bytes in one AUDIO frame at most, whatever the server allows: what is lost with a connection is small then. */
const MAX_PAYLOAD_BYTES = 16_384;
/** Of the binary frame around a payload. */
const HEADER_BYTES = 9;

/** Audio that is sent: as raw samples, or as the bytes of a file. Keeps the newest `maxBytes`. */
export class AudioInput implements ClientInput {
  readonly #maxBytes: number;
  readonly #model: ModelSummary;
  readonly #maxPayload: number;
  readonly #maxGapBytes: number;
  /** Of raw samples; undefined for files, of which no byte may be missing. */
  readonly #sampleBytes: number | undefined;
  readonly #bytesPerSecond: number;
  readonly #pieces: Piece[] = [];
  #keptBytes = 0;
  #end = 0;
  /** Where, in this side's count, the server's session began. */
  #base = 0;

  constructor(input: InputFormatFields, model: ModelSummary, limits: SessionLimits, maxBufferMs: number) {
    this.#model = model;
    const isRaw = isPcmFormat(input.format);
    const sampleBytes = isPcmFormat(input.format) ? bytesPerSample(input.format) * (input.channels ?? 1) : 1;
    this.#sampleBytes = isRaw ? sampleBytes : undefined;
    this.#bytesPerSecond = isRaw ? sampleBytes * (input.sampleRate ?? 0) : 0;
    this.#maxBytes = isRaw ? (this.#bytesPerSecond * maxBufferMs) / 1000 : limits.maxInputBufferBytes;
    const maxPayload = Math.min(MAX_PAYLOAD_BYTES, limits.maxFrameBytes - HEADER_BYTES);
    this.#maxPayload = maxPayload - (maxPayload % sampleBytes);
    this.#maxGapBytes = (this.#bytesPerSecond * limits.maxInputGapMs) / 1000;
  }

  /** Takes the next bytes of the input, which must not change any more. @returns what to send now. */
  add(bytes: Uint8Array): readonly ClientFrame[] {
    const added: Piece[] = [];
    for (let at = 0; at < bytes.length; at += this.#maxPayload) {
      const payload = bytes.subarray(at, at + this.#maxPayload);
      added.push({ byteOffset: this.#end, payload });
      this.#end += payload.length;
      this.#keptBytes += payload.length;
    }
    this.#pieces.push(...added);
    while (this.#keptBytes > this.#maxBytes && this.#pieces.length > 1) {
      this.#keptBytes -= this.#pieces.shift()?.payload.length ?? 0;
    }
    return added.map((piece) => this.#frame(piece));
  }

  resume(inputByteOffset: number): readonly ClientFrame[] {
    const from = this.#base + inputByteOffset;
    const oldest = this.#pieces[0]?.byteOffset ?? this.#end;
    const lost = oldest - from;
    if (lost > 0 && (this.#sampleBytes === undefined || lost > this.#maxGapBytes)) {
      throw new TesseraError(
        'connection_failed',
        'More input was lost with the connection than can be made good',
      );
    }
    return this.#pieces
      .filter(({ byteOffset, payload }) => byteOffset + payload.length > from)
      .map((piece) => this.#frame(piece));
  }

  restart(nextFrameIndex: number): Resumption {
    if (this.#sampleBytes === undefined) {
      if (this.#end === 0) return { frames: [], frameBase: nextFrameIndex };
      throw new TesseraError(
        'connection_failed',
        'The server has lost the session, and with it the start of the file',
      );
    }
    const { sampleRate, hop } = this.#model;
    const bytesPerFrame = (this.#bytesPerSecond * hop) / sampleRate;
    // What has come out already is not sent again; what is too old to be kept is skipped.
    const first = this.#pieces.find(
      ({ byteOffset, payload }) => byteOffset + payload.length > nextFrameIndex * bytesPerFrame,
    );
    const base = first?.byteOffset ?? this.#end;
    this.#base = base;
    const frames = this.#pieces
      .filter(({ byteOffset }) => byteOffset >= base)
      .map((piece) => this.#frame(piece));
    return { frames, frameBase: Math.max(nextFrameIndex, Math.round(base / bytesPerFrame)) };
  }

  #frame({ byteOffset, payload }: Piece): ClientFrame {
    return { kind: 'audio', byteOffset: byteOffset - this.#base, payload };
  }
}
