import { once } from 'node:events';
import { WebSocket } from 'ws';
import {
  decodeServerFrame,
  encodeFrame,
  encodeMessage,
  encodePcm,
  parseServerMessage,
  SUBPROTOCOL,
  TesseraError,
  type ErrorCode,
  type ModelSummary,
} from '../../protocol/index.js';

const BYTES_PER_SAMPLE = 2;

/** One session that sends speech in real time, some frames at a time, as a microphone would. */
export class LiveSession {
  readonly #socket: WebSocket;
  readonly #speech: Uint8Array;
  readonly #model: ModelSummary;
  readonly #framesPerMessage: number;
  /** When each frame of input was sent and when its output came, in milliseconds of one clock. */
  readonly sentMs: number[] = [];
  readonly receivedMs: number[] = [];
  /** Frames that the server dropped. */
  gapFrames = 0;
  #isEnded = false;

  private constructor(socket: WebSocket, speech: Uint8Array, model: ModelSummary, framesPerMessage: number) {
    this.#socket = socket;
    this.#speech = speech;
    this.#model = model;
    this.#framesPerMessage = framesPerMessage;
    const context = {
      codebookSize: model.codebookSize,
      maxQuantizers: model.quantizers,
      maxFramesPerPacket: framesPerMessage,
      maxFrameBytes: Infinity,
    };
    // Whoever counts frames sees what the end of the session has cost.
    socket.on('close', () => (this.#isEnded = true));
    socket.on('message', (data, isBinary) => {
      const nowMs = performance.now();
      if (!isBinary) return;
      const frame = decodeServerFrame(data as Buffer, context);
      if (frame.kind === 'gap') this.gapFrames += frame.frameCount;
      else if (frame.kind !== 'pcm') this.receivedMs[frame.firstFrameIndex] = nowMs;
      else {
        const { hop, decoderDelaySamples } = model;
        const endIndex =
          frame.firstSampleIndex + frame.payload.length / BYTES_PER_SAMPLE + decoderDelaySamples;
        // A packet ends with a frame's last sample; the first one is shorter by the decoder's delay.
        for (
          let at = Math.floor((frame.firstSampleIndex + decoderDelaySamples) / hop);
          at < endIndex / hop;
          at += 1
        ) {
          this.receivedMs[at] = nowMs;
        }
      }
    });
  }

  /**
   * Opens a session for speech at the model's rate, in Hz, which is sent again and again, so many frames in a message each way.
   * @throws TesseraError what the server answers.
   */
  static async open(
    url: string,
    mode: 'encode' | 'resynth',
    speech: Float32Array,
    sampleRate: number,
    framesPerMessage = 1,
  ): Promise<LiveSession> {
    const socket = new WebSocket(url, SUBPROTOCOL);
    await once(socket, 'open');
    const format = mode === 'encode' ? 'tokens' : 'pcm_s16le';
    const input = { format: 'pcm_s16le', sampleRate } as const;
    const output = { format, framesPerPacket: framesPerMessage } as const;
    socket.send(encodeMessage({ type: 'open', version: 1, mode, input, output }));
    const [data] = (await once(socket, 'message')) as [Buffer];
    const opened = parseServerMessage(data.toString());
    if (opened.type === 'error') throw new TesseraError(opened.code as ErrorCode, opened.message);
    if (opened.type !== 'opened') throw new Error(`The server answered ${data.toString()}`);
    return new LiveSession(socket, encodePcm(speech, 'pcm_s16le'), opened.model, framesPerMessage);
  }

  /** Sends for so long, at `speed` times real time. Pieces are due by the clock and not by the last one, so delays do not add up. */
  async stream(durationMs: number, speed = 1): Promise<void> {
    const { frameRate, hop, codebookSize } = this.#model;
    const framesPerMessage = this.#framesPerMessage;
    const pieceBytes = BYTES_PER_SAMPLE * hop * framesPerMessage;
    const pieces = Math.floor(this.#speech.length / pieceBytes);
    const startMs = performance.now();
    const startPiece = this.sentMs.length / framesPerMessage;
    for (let piece = startPiece; !this.#isEnded; piece += 1) {
      const dueMs = startMs + ((piece - startPiece) * framesPerMessage * 1000) / (speed * frameRate);
      if (dueMs >= startMs + durationMs) return;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const from = (piece % pieces) * pieceBytes;
      const payload = this.#speech.subarray(from, from + pieceBytes);
      const sentMs = performance.now();
      for (let frame = 0; frame < framesPerMessage; frame += 1) this.sentMs.push(sentMs);
      this.#socket.send(
        encodeFrame({ kind: 'audio', byteOffset: piece * pieceBytes, payload }, { codebookSize }),
      );
    }
  }

  /** From sending a frame's message to receiving its output, in milliseconds, of the frames that came. */
  get latenciesMs(): number[] {
    return this.sentMs.flatMap((sent, frame) => {
      const received = this.receivedMs[frame];
      return received === undefined ? [] : received - sent;
    });
  }

  /** Ends the session without waiting for what is under way. */
  async abandon(): Promise<void> {
    this.#isEnded = true;
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.#socket, 'close');
    this.#socket.close(1000);
    await closed;
  }

  /** Ends the session in order. */
  async close(): Promise<void> {
    this.#isEnded = true;
    const closed = once(this.#socket, 'close');
    this.#socket.send(encodeMessage({ type: 'close' }));
    await closed;
  }
}
