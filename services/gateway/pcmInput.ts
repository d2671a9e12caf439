import { setImmediate } from 'node:timers/promises';
import { TesseraError } from '../../protocol/errors.js';
import type { ClientFrame } from '../../protocol/frames.js';
import { placeAudio } from '../../protocol/inputCursor.js';
import { bytesPerSample } from '../../protocol/pcm.js';
import type { RawPcmFormat } from '../../codec/audio/index.js';
import type { EngineSession } from '../engine/index.js';
import { InputPump } from './inputPump.js';
import type { GatewayLimits } from './limits.js';
import { requireAudio, type SessionInput, type SessionInputHost } from './sessionInput.js';

/** Silence for lost bytes, in both raw formats. */
const ZEROS = new Uint8Array(16_384);

type Item =
  | { readonly kind: 'bytes'; readonly payload: Uint8Array }
  | { readonly kind: 'silence'; readonly byteCount: number }
  | { readonly kind: 'flush' };

/** Input of modes `encode` and `resynth` that is raw PCM: its bytes go to the engine as they are. */
export class PcmInput implements SessionInput {
  readonly #engine: EngineSession;
  readonly #limits: GatewayLimits;
  readonly #pump: InputPump<Item>;
  readonly #sampleRate: number;
  /** Bytes of one sample of all channels. */
  readonly #blockBytes: number;
  /** Where the stretch begins that the next AUDIO frame belongs to. */
  #stretchOffset = 0;
  #nextByteOffset = 0;
  #inputBytes = 0;
  #isClosed = false;

  constructor(format: RawPcmFormat, engine: EngineSession, limits: GatewayLimits, host: SessionInputHost) {
    this.#engine = engine;
    this.#limits = limits;
    this.#sampleRate = format.sampleRate;
    this.#blockBytes = bytesPerSample(format.format) * format.channels;
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
    requireAudio(frame);
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
  }

  close(): void {
    this.#isClosed = true;
    this.#pump.close();
  }

  #checkJump(lostBytes: number): void {
    const isAligned =
      lostBytes % this.#blockBytes === 0 &&
      (this.#nextByteOffset - this.#stretchOffset) % this.#blockBytes === 0;
    if (!isAligned) {
      throw new TesseraError('bad_frame', 'The byte offset jumps by a part of a sample: skip whole samples');
    }
    const lostMs = (1000 * lostBytes) / this.#blockBytes / this.#sampleRate;
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
        await this.#engine.pushBytes(item.payload);
        return;
      case 'silence':
        for (let left = item.byteCount; left > 0; left -= ZEROS.length) {
          await this.#engine.pushBytes(ZEROS.subarray(0, left));
          // A few bytes ask for megabytes of silence: others get their turn between its pieces.
          await setImmediate();
          if (this.#isClosed) return;
        }
        return;
      case 'flush':
        this.#engine.flush();
    }
  }
}
