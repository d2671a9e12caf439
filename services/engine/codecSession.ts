import { ByteReader } from '../../protocol/byteReader.js';
import { ByteWriter } from '../../protocol/byteWriter.js';
import type { Mode } from '../../protocol/clientMessages.js';
import { takeQuantizers, type TokenBlock } from '../../protocol/tokens.js';
import type { CodecModel } from '../../codec/runtime/model.js';
import { StreamingDecoder } from '../../codec/runtime/decoder.js';
import { AdaptiveDepth } from '../../codec/depth/adaptiveDepth.js';
import { StreamingEncoder, type EncodedBlock } from '../../codec/runtime/encoder.js';
import { frameRate } from '../../codec/manifest.js';
import type { PcmFormat } from '../../protocol/pcm.js';
import { InputQueue } from './inputQueue.js';
import type { PcmConverter } from './pcmConverter.js';
import { SessionPace } from './sessionPace.js';
import type { SessionReport } from './threadMessages.js';

/** A session in its worker: its input, its codec state, and how many codebooks it sends. */
export class CodecSession {
  readonly number: number;
  readonly mode: Mode;
  readonly input: InputQueue;
  /** In modes `encode` and `resynth`. */
  readonly encoder: StreamingEncoder | undefined;
  /** In modes `decode` and `resynth`. */
  readonly decoder: StreamingDecoder | undefined;
  readonly pace: SessionPace;
  readonly output: PcmFormat;
  /** Of sessions whose input comes as bytes. */
  converter: PcmConverter | undefined;
  /** Input since the last `heard`. */
  #heardBytes = 0;
  #heardSamples = 0;
  /** When its last input came, in milliseconds of `performance.now()`. */
  arrivalMs = 0;
  /** Since when something of its input is ready, in milliseconds of `performance.now()`; undefined while nothing is. */
  waitingSinceMs: number | undefined;
  /** At most, with adaptive depth. */
  quantizers: number;
  #adaptiveMinimum: number | undefined;
  /** In modes `encode` and `resynth`; keeps its state while depth is fixed. */
  readonly #depth: AdaptiveDepth;
  isClosed = false;
  #cutFrames: number;

  /** @throws TesseraError `bad_codec_state` when `state` is damaged or of another mode or model. */
  constructor(
    model: CodecModel,
    options: {
      number: number;
      mode: Mode;
      quantizers: number;
      adaptiveMinimum: number | undefined;
      state: Uint8Array | undefined;
      output: PcmFormat;
    },
  ) {
    this.number = options.number;
    this.mode = options.mode;
    this.quantizers = options.quantizers;
    this.output = options.output;
    this.input = new InputQueue(model.manifest.hop);
    this.pace = new SessionPace(frameRate(model.manifest), performance.now());
    const saved = options.state && readSavedState(options.state);
    this.#depth = new AdaptiveDepth({ frameRate: frameRate(model.manifest) });
    if (saved) this.#depth.importState(saved.depth);
    if (this.mode !== 'decode') {
      this.encoder = saved ? StreamingEncoder.import(model, saved.encoder) : new StreamingEncoder(model);
    }
    if (this.mode !== 'encode') {
      this.decoder = saved ? StreamingDecoder.import(model, saved.decoder) : new StreamingDecoder(model);
    }
    this.#cutFrames = this.encoder?.frameIndex ?? 0;
    this.setQuantizers(options.quantizers, options.adaptiveMinimum);
  }

  /** Codebooks of the frames that are cut from now on: all alike, or with a minimum as many as each needs. */
  setQuantizers(quantizers: number, adaptiveMinimum: number | undefined): void {
    this.quantizers = quantizers;
    this.#adaptiveMinimum = adaptiveMinimum;
    if (this.encoder) this.encoder.isMeasuring = adaptiveMinimum !== undefined;
  }

  /** Index of the first frame that is still to be cut to the session's codebooks; in mode `decode`, to be decoded. */
  get nextFrameIndex(): number {
    return this.encoder ? this.#cutFrames : (this.decoder?.frameIndex ?? 0);
  }

  /** Takes samples, which came as so many bytes or as samples. */
  addPcm(samples: Float32Array, byteCount: number): void {
    this.input.addPcm(samples);
    this.#heardSamples += samples.length;
    this.#heardBytes += byteCount;
  }

  /** What came in since the last call; undefined when nothing did and no stretch ends. */
  takeHeard(endsStretch: boolean): Extract<SessionReport, { type: 'heard' }> | undefined {
    const byteCount = this.#heardBytes;
    const sampleCount = this.#heardSamples;
    this.#heardBytes = 0;
    this.#heardSamples = 0;
    if (byteCount + sampleCount === 0 && !endsStretch) return undefined;
    return { type: 'heard', session: this.number, byteCount, sampleCount, endsStretch };
  }

  /** Notes since when it waits, after input has come or been taken; what is left of earlier input counts from now. */
  updateWaiting(nowMs: number, hasTaken: boolean): void {
    if (this.input.readyFrames(1) === 0) this.waitingSinceMs = undefined;
    else if (hasTaken || this.waitingSinceMs === undefined) this.waitingSinceMs = nowMs;
  }

  /** Cuts encoded frames to the session's codebooks: what was cut cannot change any more. A block for each depth. */
  cut(block: EncodedBlock): TokenBlock[] {
    this.#cutFrames = block.firstFrameIndex + block.frameCount;
    const { measures, ...tokens } = block;
    // Of a run that was under way when the choice changed, the measures are missing or not wanted.
    if (measures === undefined || this.#adaptiveMinimum === undefined) {
      return [takeQuantizers(tokens, this.quantizers)];
    }
    const bounds = {
      minQuantizers: Math.min(this.#adaptiveMinimum, this.quantizers),
      maxQuantizers: this.quantizers,
    };
    return this.#depth.cut(block, bounds);
  }

  /** Gives up what waits, and the memory of both halves. */
  close(): void {
    this.isClosed = true;
    this.input.clear();
    this.converter?.close();
    this.encoder?.close();
    this.decoder?.close();
  }

  /** The state of both halves; meant for {@link EngineSessionOptions.state}. */
  exportState(): Uint8Array {
    const encoder = this.encoder?.exportState() ?? new Uint8Array(0);
    const decoder = this.decoder?.exportState() ?? new Uint8Array(0);
    const depth = this.#depth.exportState();
    const writer = new ByteWriter().varint(encoder.length).append(encoder);
    return writer.varint(depth.length).append(depth).append(decoder).bytes();
  }
}

function readSavedState(bytes: Uint8Array): {
  readonly encoder: Uint8Array;
  readonly depth: Uint8Array;
  readonly decoder: Uint8Array;
} {
  const reader = new ByteReader(bytes, 'bad_codec_state', 'The session state');
  const encoderBytes = reader.varint('length of the encoder state');
  const encoder = reader.take('encoder state', encoderBytes);
  const depth = reader.take(
    'state of adaptive depth',
    reader.varint('length of the state of adaptive depth'),
  );
  return { encoder, depth, decoder: reader.rest() };
}
