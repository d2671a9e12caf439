import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { TesseraError } from '../../protocol/errors.js';
import { EngineSession } from './engineSession.js';
import type { SessionReport, WorkerReport, WorkerRequest, WorkerSettings } from './threadMessages.js';
import type { EngineModel, EngineOptions, EngineSessionOptions, EngineState, RunFigures } from './types.js';

const DEFAULT_MAX_QUEUED_FRAMES = 50;
const DEFAULT_MAX_BATCH = 16;
const DEFAULT_MAX_FRAMES_PER_RUN = 4;
const FIRST_RESTART_DELAY_MS = 100;
const MAX_RESTART_DELAY_MS = 10_000;
const STOP_TIMEOUT_MS = 5000;

/**
 * Runs the codec of many sessions away from the caller's thread. A session stays with the worker that holds its state.
 * When a worker dies its sessions fail with `internal` and another is started; until it is ready no session can be
 * opened.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #sessions = new Map<number, EngineSession>();
  #worker: Worker | undefined;
  #model: EngineModel | undefined;
  #state: EngineState = 'starting';
  #nextSession = 1;
  #restartDelayMs = FIRST_RESTART_DELAY_MS;
  #restartTimer: NodeJS.Timeout | undefined;
  /** Settles the start; undefined afterwards. */
  #starting: { resolve: () => void; reject: (error: TesseraError) => void } | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: EngineOptions) {
    this.#options = options;
  }

  /**
   * Starts the worker and waits until it has loaded the model.
   * @throws TesseraError what `CodecModel.load` throws; `internal` when the worker dies.
   */
  static async start(options: EngineOptions = {}): Promise<Engine> {
    const engine = new Engine(options);
    await new Promise<void>((resolve, reject) => {
      engine.#starting = { resolve, reject };
      engine.#startWorker();
    });
    return engine;
  }

  /** Whether sessions can be opened is `state === 'ready'`. */
  get state(): EngineState {
    return this.#state;
  }

  /** The model that runs. */
  get model(): EngineModel {
    if (this.#model === undefined) throw new TesseraError('internal', 'The engine has not started');
    return this.#model;
  }

  /** Sessions that are open. */
  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Frames of input that wait, of all sessions. */
  get queuedFrames(): number {
    let frames = 0;
    for (const session of this.#sessions.values()) frames += session.queuedFrames;
    return frames;
  }

  /**
   * Opens a session. The handle can be used at once; the promise resolves when the worker has it.
   * @throws TesseraError `bad_codec_state` for a state that does not fit, `internal` while the engine is not ready.
   */
  async openSession(options: EngineSessionOptions): Promise<EngineSession> {
    const worker = this.#worker;
    if (this.#state !== 'ready' || worker === undefined) {
      throw new TesseraError('internal', 'The engine is not ready; try again in a moment');
    }
    const { summary } = this.model;
    const number = this.#nextSession++;
    const session = new EngineSession(
      {
        number,
        isAudioInput: options.mode !== 'decode',
        hop: summary.hop,
        maxQueuedFrames: this.#options.maxQueuedFrames ?? DEFAULT_MAX_QUEUED_FRAMES,
        post: (request, transfer) => worker.postMessage(request, transfer),
        forget: () => this.#sessions.delete(number),
      },
      options.onResult,
    );
    this.#sessions.set(number, session);
    this.#post(worker, {
      type: 'open',
      session: number,
      mode: options.mode,
      quantizers: options.quantizers ?? summary.quantizers,
      state: options.state,
    });
    await session.opened;
    return session;
  }

  /** Ends all sessions with `going_away` and stops the worker. Safe to call again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#restartTimer);
    this.#setState('closed');
    this.#failSessions(new TesseraError('going_away', 'The engine is stopping'));
    const worker = this.#worker;
    if (worker === undefined) return;
    const exited = once(worker, 'exit');
    this.#post(worker, { type: 'stop' });
    // One that does not answer is stuck, and not in a run: those take a fraction of a second.
    const timer = setTimeout(() => void worker.terminate(), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  #startWorker(): void {
    const { modelDirectory, provider = 'auto', threads = 1 } = this.#options;
    const { maxBatch = DEFAULT_MAX_BATCH, maxFramesPerRun = DEFAULT_MAX_FRAMES_PER_RUN } = this.#options;
    const settings: WorkerSettings = { modelDirectory, provider, threads, maxBatch, maxFramesPerRun };
    const worker = new Worker(this.#options.workerUrl ?? new URL('./worker.js', import.meta.url), {
      workerData: settings,
      name: 'tessera-engine',
    });
    this.#worker = worker;
    let cause: unknown;
    worker.on('message', (report: WorkerReport) => this.#onReport(report));
    worker.on('error', (error) => (cause = error));
    worker.on('exit', (exitCode) => this.#onExit(worker, cause, exitCode));
  }

  #onReport(report: WorkerReport): void {
    switch (report.type) {
      case 'ready':
        this.#model = { summary: report.model, provider: report.provider };
        this.#restartDelayMs = FIRST_RESTART_DELAY_MS;
        this.#setState('ready');
        this.#starting?.resolve();
        this.#starting = undefined;
        return;
      case 'unfit': {
        const error = new TesseraError(report.error.code, report.error.message);
        if (this.#starting) this.#abandonStart(error);
        return;
      }
      case 'turn':
        for (const run of report.runs) this.#reportRun(run);
        for (const each of report.reports) this.#onSessionReport(each);
    }
  }

  #onSessionReport(report: SessionReport): void {
    this.#sessions.get(report.session)?.receive(report);
  }

  #reportRun(run: RunFigures): void {
    this.#options.onRun?.(run);
  }

  #onExit(worker: Worker, cause: unknown, exitCode: number): void {
    if (this.#worker !== worker || this.#state === 'closed') return;
    this.#worker = undefined;
    const reason = cause instanceof Error ? cause.message : `exit code ${exitCode}`;
    const error = new TesseraError('internal', `The engine's worker ended by itself (${reason})`, { cause });
    if (this.#starting) {
      this.#abandonStart(error);
      return;
    }
    this.#setState('restarting', error);
    this.#failSessions(new TesseraError('internal', 'The engine lost this session; open another'));
    this.#restartTimer = setTimeout(() => this.#startWorker(), this.#restartDelayMs);
    this.#restartDelayMs = Math.min(2 * this.#restartDelayMs, MAX_RESTART_DELAY_MS);
  }

  #abandonStart(error: TesseraError): void {
    const starting = this.#starting;
    this.#starting = undefined;
    this.#state = 'closed';
    void this.#worker?.terminate();
    starting?.reject(error);
  }

  #failSessions(error: TesseraError): void {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) session.fail(error);
  }

  #setState(state: EngineState, error?: TesseraError): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onStateChange?.(state, error);
  }

  #post(worker: Worker, request: WorkerRequest): void {
    worker.postMessage(request);
  }
}
