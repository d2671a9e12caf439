import { TesseraError } from '../../protocol/errors.js';
import { bytesPerSample } from '../../protocol/pcm.js';
import type { Mode } from '../../protocol/clientMessages.js';
import { checkAudioShape } from '../../codec/audio/limits.js';
import type { RawPcmFormat } from '../../codec/audio/index.js';
import { EngineSession } from './engineSession.js';
import { EngineWorker } from './engineWorker.js';
import { providerBounds } from './providerBounds.js';
import type { WorkerSettings } from './threadMessages.js';
import type { EngineModel, EngineOptions, EngineSessionOptions, EngineState } from './types.js';

const DEFAULT_MAX_QUEUED_FRAMES = 50;
const DEFAULT_MAX_FRAMES_PER_RUN = 4;

/**
 * Runs the codec of many sessions away from the caller's thread, in several worker threads. A session is given to the
 * least loaded worker and stays with it, which holds its state. When a worker dies its sessions fail with
 * `internal`, those of others go on, and another is started.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #workers: EngineWorker[] = [];
  #state: EngineState = 'starting';
  #isStarted = false;
  #nextSession = 1;
  #closing: Promise<void> | undefined;

  private constructor(options: EngineOptions) {
    this.#options = options;
  }

  /**
   * Starts the workers and waits until they have loaded and measured the model.
   * @throws TesseraError what `CodecModel.load` throws; `internal` when a worker dies.
   */
  static async start(options: EngineOptions = {}): Promise<Engine> {
    const engine = new Engine(options);
    try {
      // What the first one finds to run on decides how many others there are, and they need not look for it again.
      const first = await engine.#startWorker(options.provider ?? 'auto');
      const { provider } = first.model;
      const count = options.threads ?? providerBounds(provider).threads;
      const rest = Array.from({ length: count - 1 }, () => engine.#startWorker(provider));
      // All settle before a failure of one is told, so that none is left behind.
      const failed = (await Promise.allSettled(rest)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
      await Promise.all(engine.#workers.map((worker) => worker.measure()));
    } catch (error) {
      await engine.close();
      throw error;
    }
    engine.#isStarted = true;
    engine.#update();
    return engine;
  }

  /** Whether sessions can be opened is `state === 'ready'`. */
  get state(): EngineState {
    return this.#state;
  }

  /** The model that runs. */
  get model(): EngineModel {
    const [worker] = this.#workers;
    if (worker === undefined) throw new TesseraError('internal', 'The engine has not started');
    return worker.model;
  }

  /** Worker threads. */
  get workerCount(): number {
    return this.#workers.length;
  }

  /** Full-duplex sessions that the workers carry, as measured and as the machine does now. */
  get capacity(): number {
    return this.#workers.reduce((total, { capacity }) => total + capacity, 0);
  }

  /** Frames of input that wait, of all sessions. */
  get queuedFrames(): number {
    let frames = 0;
    for (const worker of this.#workers) {
      for (const { session } of worker.sessions.values()) frames += session.queuedFrames;
    }
    return frames;
  }

  /**
   * Opens a session. The handle can be used at once; the promise resolves when the worker has it.
   * @throws TesseraError `bad_audio` or `unsupported_audio` for a sample rate or channel count that cannot be,
   * `bad_codec_state` for a state that does not fit, `at_capacity` when no worker has room for it,
   * `internal` while the engine is not ready.
   */
  async openSession(options: EngineSessionOptions): Promise<EngineSession> {
    const { input } = options;
    if (input) checkAudioShape('The input', input.sampleRate, input.channels);
    const worker = this.#place(options.mode);
    const { summary } = worker.model;
    const number = this.#nextSession++;
    const session = new EngineSession(
      {
        number,
        isAudioInput: options.mode !== 'decode',
        hop: summary.hop,
        samplesPerByte: options.input ? samplesPerByte(options.input, summary.sampleRate) : 0,
        maxQueuedFrames: this.#options.maxQueuedFrames ?? DEFAULT_MAX_QUEUED_FRAMES,
        post: (request, transfer) => worker.post(request, transfer),
        forget: () => worker.sessions.delete(number),
      },
      options.onResult,
    );
    worker.sessions.set(number, { session, mode: options.mode });
    worker.post({
      type: 'open',
      session: number,
      mode: options.mode,
      quantizers: options.quantizers ?? summary.quantizers,
      adaptiveMinimum: options.adaptiveMinimum,
      state: options.state,
      input: options.input,
      output: options.output ?? 'pcm_f32le',
    });
    await session.opened;
    return session;
  }

  /** Ends all sessions with `going_away` and stops the workers. Safe to call again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const reason = new TesseraError('going_away', 'The engine is stopping');
    const stopped = this.#workers.map((worker) => worker.stop(reason));
    if (this.#isStarted) this.#options.onStateChange?.('closed');
    this.#state = 'closed';
    await Promise.all(stopped);
  }

  /** The ready worker that is least loaded for what it carries. */
  #place(mode: Mode): EngineWorker {
    const ready = this.#state === 'ready' ? this.#workers.filter(({ isReady }) => isReady) : [];
    const loads = ready.map((worker) => ({ worker, share: worker.load / worker.capacity }));
    const [best] = loads.sort((one, other) => one.share - other.share);
    if (best === undefined) {
      throw new TesseraError('internal', 'The engine is not ready; try again in a moment');
    }
    const { worker } = best;
    const hasRoom = worker.load + worker.costOf(mode) <= worker.capacity;
    // An empty worker takes what comes: without work it could not learn that the machine does better again.
    if (this.#options.admitsAll !== true && !hasRoom && worker.sessions.size > 0) {
      throw new TesseraError('at_capacity', 'This server carries as many sessions as it can keep in time');
    }
    return worker;
  }

  async #startWorker(provider: WorkerSettings['provider']): Promise<EngineWorker> {
    const { model, workerUrl = new URL('./worker.js', import.meta.url) } = this.#options;
    const { maxBatch, maxFramesPerRun = DEFAULT_MAX_FRAMES_PER_RUN } = this.#options;
    const settings: WorkerSettings = { model, provider, maxBatch, maxFramesPerRun };
    const worker = await EngineWorker.start(workerUrl, settings, {
      onChange: (error) => this.#update(error),
      onRun: (run) => this.#options.onRun?.(run),
    });
    this.#workers.push(worker);
    return worker;
  }

  /** A worker has become ready, or died. */
  #update(error?: TesseraError): void {
    if (this.#state === 'closed' || !this.#isStarted) return;
    const state = this.#workers.some(({ isReady }) => isReady) ? 'ready' : 'restarting';
    if (state === this.#state && error === undefined) return;
    this.#state = state;
    this.#options.onStateChange?.(state, error);
  }
}

/** Samples at `sampleRate`, in Hz, that a byte of input makes. */
function samplesPerByte(input: RawPcmFormat, sampleRate: number): number {
  return sampleRate / input.sampleRate / (bytesPerSample(input.format) * input.channels);
}
