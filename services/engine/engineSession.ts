import type { Transferable } from 'node:worker_threads';
import { TesseraError } from '../../protocol/errors.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { SessionReport, WorkerRequest } from './threadMessages.js';
import type { EngineResult } from './types.js';

/** A session's way to its worker. */
export interface SessionLink {
  readonly number: number;
  /** Whether input is counted in samples (else in frames). */
  readonly isAudioInput: boolean;
  readonly hop: number;
  /** Of input that comes as bytes; else 0. */
  readonly samplesPerByte: number;
  readonly maxQueuedFrames: number;
  readonly post: (request: WorkerRequest, transfer?: readonly Transferable[]) => void;
  readonly forget: () => void;
}

/**
 * One session of the engine, on the caller's side. What is pushed waits in a bounded queue: every push resolves when
 * there is room again, at once as a rule; callers await it, or are refused at twice the bound.
 */
export class EngineSession {
  /** Resolves when the worker has the session; rejects when it cannot. */
  readonly opened: Promise<void>;
  readonly #link: SessionLink;
  readonly #onResult: (result: EngineResult) => void;
  #settleOpened: { resolve: () => void; reject: (error: TesseraError) => void } | undefined;
  /** Input that waits: samples or frames. */
  #queued = 0;
  /** Bytes of input that the worker has not turned into samples yet. */
  #unheardBytes = 0;
  #roomWaiters: (() => void)[] = [];
  #stateWaiters: { resolve: (state: Uint8Array) => void; reject: (error: TesseraError) => void }[] = [];
  #ended: TesseraError | undefined;

  constructor(link: SessionLink, onResult: (result: EngineResult) => void) {
    this.#link = link;
    this.#onResult = onResult;
    this.opened = new Promise<void>((resolve, reject) => {
      this.#settleOpened = { resolve, reject };
    });
    // Whoever opens the session awaits it; a failure before that must not count as unhandled.
    this.opened.catch(() => undefined);
  }

  /** Frames of input that wait. */
  get queuedFrames(): number {
    return this.#link.isAudioInput ? Math.floor(this.#waiting() / this.#link.hop) : this.#queued;
  }

  /**
   * Takes mono samples in [-1, 1] at the model's rate, any number of them (modes `encode` and `resynth`). The array is
   * handed to the worker and must not be used afterwards.
   * @returns when there is room for more.
   * @throws TesseraError `bad_audio` for a sample that is not finite, `input_overflow` at twice the bound; what ended
   * the session.
   */
  pushPcm(samples: Float32Array): Promise<void> {
    // Sessions share runs: what would fail one run must not get that far.
    const wrong = samples.findIndex((sample) => !Number.isFinite(sample));
    if (wrong >= 0) {
      return Promise.reject(
        new TesseraError('bad_audio', `Sample ${wrong} of the piece is not a finite number`),
      );
    }
    // A view of a larger buffer, maybe of WASM memory, cannot be handed over.
    const whole = samples.byteLength === samples.buffer.byteLength ? samples : samples.slice();
    const count = samples.length;
    return this.#push(count, { type: 'pcm', session: this.#link.number, samples: whole }, [
      whole.buffer as ArrayBuffer,
    ]);
  }

  /**
   * Takes bytes of the format that the session was opened with, cut anywhere. They must not change afterwards. Returns and
   * throws as {@link pushPcm}; a sample that is not finite fails the session with `bad_audio`.
   */
  pushBytes(bytes: Uint8Array): Promise<void> {
    return this.#push(0, { type: 'bytes', session: this.#link.number, bytes });
  }

  /** Takes the next frames of tokens (mode `decode`). Returns and throws as {@link pushPcm}. */
  pushTokens(block: TokenBlock): Promise<void> {
    return this.#push(block.frameCount, { type: 'tokens', session: this.#link.number, block });
  }

  /** Conceals the next `frameCount` frames (mode `decode`). Returns and throws as {@link pushPcm}. */
  skip(frameCount: number): Promise<void> {
    return this.#push(frameCount, { type: 'skip', session: this.#link.number, frameCount });
  }

  /**
   * Codebooks of the frames from the next possible one on, which the result `quantizers` names: all of them, or, with an
   * `adaptiveMinimum`, from that many up to all as the sound needs.
   */
  setQuantizers(quantizers: number, adaptiveMinimum?: number): void {
    if (this.#ended) return;
    this.#link.post({ type: 'quantizers', session: this.#link.number, quantizers, adaptiveMinimum });
  }

  /** Asks for the rest of what was pushed, then `flushed`. With audio, silence fills up what the decoder lags. */
  flush(): void {
    if (!this.#ended) this.#link.post({ type: 'flush', session: this.#link.number });
  }

  /**
   * The codec's state after all that was pushed so far, for {@link EngineSessionOptions.state} of another session.
   * @throws TesseraError `bad_state` where input comes as bytes, which may wait half converted; what ended the session.
   */
  exportState(): Promise<Uint8Array> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#link.samplesPerByte > 0) {
      return Promise.reject(
        new TesseraError('bad_state', 'Input as bytes has a state that is not of the codec: push samples'),
      );
    }
    return new Promise((resolve, reject) => {
      this.#stateWaiters.push({ resolve, reject });
      this.#link.post({ type: 'export', session: this.#link.number });
    });
  }

  /** Ends the session; what was not processed yet is given up. Safe to call again. */
  close(): void {
    if (this.#ended) return;
    this.#link.post({ type: 'close', session: this.#link.number });
    this.#link.forget();
    this.#end(new TesseraError('bad_state', 'The engine session is closed'));
  }

  /** Takes a report of the worker: called by the engine only. */
  receive(report: SessionReport): void {
    switch (report.type) {
      case 'opened':
        this.#settleOpened?.resolve();
        this.#settleOpened = undefined;
        return;
      case 'taken':
        this.#queued -= report.amount;
        if (!this.#isFull()) this.#releaseWaiters();
        return;
      case 'heard': {
        const { byteCount, sampleCount, endsStretch } = report;
        if (this.#link.samplesPerByte > 0) {
          this.#unheardBytes -= byteCount;
          this.#queued += sampleCount;
          if (!this.#isFull()) this.#releaseWaiters();
        }
        this.#onResult({ kind: 'heard', sampleCount, endsStretch });
        return;
      }
      case 'tokens':
        this.#onResult({ kind: 'tokens', block: report.block });
        return;
      case 'pcm':
        this.#onResult({
          kind: 'pcm',
          firstFrameIndex: report.firstFrameIndex,
          frameCount: report.frameCount,
          bytes: report.bytes,
        });
        return;
      case 'quantizers':
        this.#onResult({
          kind: 'quantizers',
          quantizers: report.quantizers,
          fromFrameIndex: report.fromFrameIndex,
        });
        return;
      case 'flushed':
        this.#onResult({ kind: 'flushed', frames: report.frames });
        return;
      case 'state':
        this.#stateWaiters.shift()?.resolve(report.state);
        return;
      case 'failed':
        this.#link.forget();
        this.fail(new TesseraError(report.error.code, report.error.message));
    }
  }

  /** The session is lost: called by the engine only. */
  fail(error: TesseraError): void {
    if (this.#ended) return;
    const wasOpened = this.#settleOpened === undefined;
    this.#end(error);
    if (wasOpened) this.#onResult({ kind: 'failed', error });
  }

  #push(amount: number, request: WorkerRequest, transfer?: readonly Transferable[]): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#waiting() >= 2 * this.#bound()) {
      return Promise.reject(
        new TesseraError('input_overflow', 'Input came faster than it was processed, and without waiting'),
      );
    }
    if (request.type === 'bytes') this.#unheardBytes += request.bytes.length;
    this.#queued += amount;
    this.#link.post(request, transfer);
    if (!this.#isFull()) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  #isFull(): boolean {
    return this.#waiting() >= this.#bound();
  }

  #waiting(): number {
    return this.#queued + this.#unheardBytes * this.#link.samplesPerByte;
  }

  #bound(): number {
    const { isAudioInput, hop, maxQueuedFrames } = this.#link;
    return isAudioInput ? maxQueuedFrames * hop : maxQueuedFrames;
  }

  #releaseWaiters(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
  }

  #end(error: TesseraError): void {
    this.#ended = error;
    this.#settleOpened?.reject(error);
    this.#settleOpened = undefined;
    this.#releaseWaiters();
    for (const { reject } of this.#stateWaiters.splice(0)) reject(error);
  }
}
