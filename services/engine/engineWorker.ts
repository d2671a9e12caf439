import { once } from 'node:events';
import { Worker, type Transferable } from 'node:worker_threads';
import { TesseraError } from '../../protocol/errors.js';
import type { Mode } from '../../protocol/clientMessages.js';
import { CostModel } from './costModel.js';
import type { EngineSession } from './engineSession.js';
import { joinBytes } from './joinedBytes.js';
import { providerBounds } from './providerBounds.js';
import type { WorkerPost, WorkerReport, WorkerRequest, WorkerSettings } from './threadMessages.js';
import type { RunBounds } from './turnPlanner.js';
import type { EngineModel, RunFigures } from './types.js';

const FIRST_RESTART_DELAY_MS = 100;
const MAX_RESTART_DELAY_MS = 10_000;
const STOP_TIMEOUT_MS = 5000;
/** What a turn makes is dead after it: more room would only hold more of it, and of the arrays outside of the heap that it owns. */
const YOUNG_GENERATION_MIB = 12;

/** What the engine hears of a worker. */
export interface WorkerEvents {
  /** It has become ready, or is so no more; `error` says why. */
  readonly onChange: (error?: TesseraError) => void;
  readonly onRun: (run: RunFigures) => void;
}

/** The sessions' lot when their worker dies. */
const LOST = 'The engine lost this session; open another';

/** One worker thread and the sessions whose state it holds. When it dies they fail, and another thread is started. */
export class EngineWorker {
  /** By number; each with its mode, which decides what it costs. */
  readonly sessions = new Map<number, { readonly session: EngineSession; readonly mode: Mode }>();
  readonly #url: URL;
  readonly #settings: WorkerSettings;
  readonly #events: WorkerEvents;
  #thread: Worker | undefined;
  #model: EngineModel | undefined;
  #bounds: RunBounds | undefined;
  #costs: CostModel | undefined;
  #isReady = false;
  #isStopped = false;
  #requests: WorkerRequest[] = [];
  #transfers: Transferable[] = [];
  #restartDelayMs = FIRST_RESTART_DELAY_MS;
  #restartTimer: NodeJS.Timeout | undefined;
  /** Settles the first start, then the first measurement; undefined otherwise. */
  #starting: { resolve: () => void; reject: (error: TesseraError) => void } | undefined;

  private constructor(url: URL, settings: WorkerSettings, events: WorkerEvents) {
    this.#url = url;
    this.#settings = settings;
    this.#events = events;
  }

  /**
   * Starts a worker and waits until it has loaded the model; {@link measure} makes it ready.
   * @throws TesseraError what `CodecModel.load` throws; `internal` when the worker dies.
   */
  static async start(url: URL, settings: WorkerSettings, events: WorkerEvents): Promise<EngineWorker> {
    const worker = new EngineWorker(url, settings, events);
    await new Promise<void>((resolve, reject) => {
      worker.#starting = { resolve, reject };
      worker.#startThread();
    });
    return worker;
  }

  /**
   * Measures what runs cost and takes sessions from then on. Workers that are measured together find what each of them
   * has while the others work.
   * @throws TesseraError as {@link start}.
   */
  measure(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.post({ type: 'measure' });
    });
  }

  /** Whether it takes sessions. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** The model that runs. */
  get model(): EngineModel {
    if (this.#model === undefined) throw new TesseraError('internal', 'The engine has not started');
    return this.#model;
  }

  /** Full-duplex sessions that it carries, as the machine does now; 0 while it is not ready. */
  get capacity(): number {
    return this.#isReady ? (this.#costs?.capacity.sessions ?? 0) : 0;
  }

  /** What its sessions cost, in full-duplex ones. */
  get load(): number {
    let load = 0;
    for (const { mode } of this.sessions.values()) load += this.costOf(mode);
    return load;
  }

  /** What a session costs, in full-duplex ones. */
  costOf(mode: Mode): number {
    if (mode === 'resynth') return 1;
    const encodeShare = this.#costs?.capacity.encodeShare ?? 0.5;
    return mode === 'encode' ? encodeShare : 1 - encodeShare;
  }

  /**
   * Sends a request, together with others of the same turn of the event loop; what is meant for a thread that has died
   * is dropped with its sessions.
   */
  post(request: WorkerRequest, transfer: readonly Transferable[] = []): void {
    if (this.#requests.length === 0) setImmediate(() => this.#sendRequests());
    this.#requests.push(request);
    this.#transfers.push(...transfer);
  }

  /** Fails its sessions and ends the thread between two runs. */
  async stop(reason: TesseraError): Promise<void> {
    this.#isStopped = true;
    this.#isReady = false;
    clearTimeout(this.#restartTimer);
    this.#failSessions(reason);
    const thread = this.#thread;
    if (thread === undefined) return;
    const exited = once(thread, 'exit');
    this.post({ type: 'stop' });
    // One that does not answer is stuck, and not in a run: those take a fraction of a second.
    const timer = setTimeout(() => void thread.terminate(), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  #sendRequests(): void {
    const requests = this.#requests;
    const transfers = this.#transfers;
    this.#requests = [];
    this.#transfers = [];
    const buffer = joinBytes(requests);
    if (buffer) transfers.push(buffer);
    const sentMs = performance.timeOrigin + performance.now();
    this.#thread?.postMessage({ sentMs, requests } satisfies WorkerPost, transfers);
  }

  #startThread(): void {
    // Those for a thread that has died.
    this.#requests = [];
    this.#transfers = [];
    const thread = new Worker(this.#url, {
      workerData: this.#settings,
      name: 'tessera-engine',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    this.#thread = thread;
    let cause: unknown;
    thread.on('message', (report: WorkerReport) => {
      if (report.type === 'unfit') {
        cause = new TesseraError(report.error.code, report.error.message);
        // Something that it has begun might keep it alive.
        void thread.terminate();
      }
      this.#onReport(report);
    });
    thread.on('error', (error) => (cause = error));
    thread.on('exit', (exitCode) => this.#onExit(cause, exitCode));
  }

  #onReport(report: WorkerReport): void {
    switch (report.type) {
      case 'loaded': {
        const isFirst = this.#model === undefined;
        this.#model = { summary: report.model, provider: report.provider };
        this.#bounds = report.bounds;
        if (!isFirst) {
          // One that starts again does so beside others that work.
          this.post({ type: 'measure' });
          return;
        }
        this.#starting?.resolve();
        this.#starting = undefined;
        return;
      }
      case 'ready':
        if (this.#bounds === undefined) return;
        this.#costs = new CostModel(report.costs, this.#bounds, {
          frameRate: this.model.summary.frameRate,
          maxTurnLatencyMs: providerBounds(this.model.provider).maxTurnLatencyMs,
        });
        this.#restartDelayMs = FIRST_RESTART_DELAY_MS;
        if (this.#isStopped) return;
        this.#isReady = true;
        this.#starting?.resolve();
        this.#starting = undefined;
        this.#events.onChange();
        return;
      case 'unfit':
        this.#abandonStart(new TesseraError(report.error.code, report.error.message));
        return;
      case 'turn':
        this.#costs?.observeWaits(report.waitsMs);
        for (const run of report.runs) {
          this.#costs?.observe(run);
          this.#events.onRun(run);
        }
        for (const each of report.reports) this.sessions.get(each.session)?.session.receive(each);
    }
  }

  #onExit(cause: unknown, exitCode: number): void {
    this.#thread = undefined;
    this.#isReady = false;
    if (this.#isStopped) return;
    const reason = cause instanceof Error ? cause.message : `exit code ${exitCode}`;
    const error = new TesseraError('internal', `A worker of the engine ended by itself (${reason})`, {
      cause,
    });
    if (this.#starting) {
      this.#abandonStart(error);
      return;
    }
    this.#events.onChange(error);
    this.#failSessions(new TesseraError('internal', LOST));
    this.#restartTimer = setTimeout(() => this.#startThread(), this.#restartDelayMs);
    this.#restartDelayMs = Math.min(2 * this.#restartDelayMs, MAX_RESTART_DELAY_MS);
  }

  /** The first start has failed: there is no sense in another. A later one ends by itself and is tried again. */
  #abandonStart(error: TesseraError): void {
    const starting = this.#starting;
    if (starting === undefined) return;
    this.#starting = undefined;
    this.#isStopped = true;
    starting.reject(error);
  }

  #failSessions(error: TesseraError): void {
    const sessions = [...this.sessions.values()];
    this.sessions.clear();
    for (const { session } of sessions) session.fail(error);
  }
}
