import { TesseraError } from '../../protocol/errors.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import { browser, type WorkerLike } from '../platform.js';
import { fetchManifest, fetchModelFile, requireModel, type DownloadProgress } from './modelFiles.js';
import type {
  CodecGraph,
  LocalRuntime,
  WorkerAnswer,
  WorkerRequest,
  WorkerResult,
} from './workerMessages.js';

/** Encoding or decoding in the page instead of by the server. */
export interface LocalModelOptions {
  /** Of `dist/client/worker.js`, which finds what it needs for WebGPU beside itself; by default beside this module. */
  readonly workerUrl?: string;
  /** Of onnxruntime's `ort-wasm-simd-threaded.wasm`; by default beside this module. */
  readonly wasmUrl?: string;
  /** Told as the model comes, the first time. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** Whom a worker tells. */
export interface CodecWorkerHost {
  readonly onResult: (result: WorkerResult) => void;
  /** It does not run any more. */
  readonly onError: (error: TesseraError) => void;
}

/** One graph of the codec in a Web Worker. */
export class CodecWorker {
  readonly #worker: WorkerLike;
  readonly #host: CodecWorkerHost;
  readonly #model: ModelSummary;
  readonly #side: CodecGraph['side'];
  #frameMs = Infinity;
  #runtime: LocalRuntime = 'wasm';
  #waitingFrames = 0;
  #runMs = 0;
  #frames = 0;

  private constructor(
    worker: WorkerLike,
    side: CodecGraph['side'],
    model: ModelSummary,
    host: CodecWorkerHost,
  ) {
    this.#worker = worker;
    this.#side = side;
    this.#model = model;
    this.#host = host;
  }

  /**
   * Fetches the graph, unless the browser has it, and starts the worker.
   * @throws TesseraError `connection_failed`, `model_mismatch`, `model_tampered`; `unsupported_platform` without Web Workers
   * and where the graph does not run.
   */
  static async create(
    side: CodecGraph['side'],
    options: LocalModelOptions & { readonly modelUrl: string },
    model: ModelSummary,
    host: CodecWorkerHost,
  ): Promise<CodecWorker> {
    if (browser.Worker === undefined || browser.Blob === undefined) {
      throw new TesseraError(
        'unsupported_platform',
        `There are no Web Workers here: leave the ${side} to the server`,
      );
    }
    const { modelUrl } = options;
    const manifest = await fetchManifest(modelUrl);
    requireModel(manifest, model, modelUrl);
    const bytes = await fetchModelFile(modelUrl, manifest[side], options.onProgress ?? (() => undefined));
    const besides = (file: string): string => new URL(file, import.meta.url).href;
    const worker = startWorker(options.workerUrl ?? besides('./worker.js'));
    const codec = new CodecWorker(worker, side, model, host);
    const { hop, quantizers } = manifest;
    const graph = { side, hop, quantizers, states: manifest[side].states };
    const wasmUrl = options.wasmUrl ?? besides('./ort-wasm-simd-threaded.wasm');
    try {
      await codec.#load({ kind: 'load', graph, bytes, wasmUrl });
    } catch (error) {
      worker.terminate();
      throw error;
    }
    return codec;
  }

  /** What it runs on. */
  get runtime(): LocalRuntime {
    return this.#runtime;
  }

  /** Sound that was given to it and has not come back. */
  get backlogMs(): number {
    return (1000 * this.#waitingFrames) / this.#model.frameRate;
  }

  /** How many times faster than real time it runs; 0 before the first result. */
  get speed(): number {
    return this.#runMs === 0 ? 0 : (1000 * this.#frames) / this.#model.frameRate / this.#runMs;
  }

  /** @throws TesseraError `unsupported_platform` where no frame of its trial took less time than it lasts. */
  requireRealTime(): void {
    const durationMs = 1000 / this.#model.frameRate;
    if (this.#frameMs < durationMs) return;
    throw new TesseraError(
      'unsupported_platform',
      `The ${this.#side} takes ${this.#frameMs.toFixed(0)} ms for a frame of ${durationMs} ms here: leave it to the server`,
    );
  }

  /** Gives it the next frames. */
  run(request: Exclude<WorkerRequest, { kind: 'load' }>): void {
    this.#waitingFrames += request.kind === 'encode' ? request.piece.frameCount : request.block.frameCount;
    const transfer = request.kind === 'encode' ? [request.piece.samples.buffer] : [];
    this.#worker.postMessage(request, transfer as never);
  }

  /** Lets go of it; what waits is given up. Safe to call again. */
  close(): void {
    this.#worker.onmessage = null;
    this.#worker.onerror = null;
    this.#worker.terminate();
  }

  async #load(request: Extract<WorkerRequest, { kind: 'load' }>): Promise<void> {
    const worker = this.#worker;
    this.#frameMs = await new Promise<number>((resolve, reject) => {
      let tell: (error: TesseraError) => void = reject;
      const fail = (message: string): void =>
        tell(new TesseraError('unsupported_platform', `The ${this.#side} does not run here (${message})`));
      worker.onerror = (event: { readonly message?: string }) =>
        fail(event.message ?? 'its worker did not start');
      worker.onmessage = ({ data }: { readonly data: WorkerAnswer }) => {
        if (data.kind === 'failed') fail(data.message);
        else if (data.kind === 'result') this.#onResult(data);
        else {
          tell = this.#host.onError;
          this.#runtime = data.runtime;
          resolve(data.frameMs);
        }
      };
      worker.postMessage(request, [request.bytes] as never);
    });
  }

  #onResult({ result, runMs, runtime }: Extract<WorkerAnswer, { kind: 'result' }>): void {
    this.#runtime = runtime;
    this.#runMs += runMs;
    this.#frames += result.frameCount;
    this.#waitingFrames -= result.frameCount;
    this.#host.onResult(result);
  }
}

/** A module worker; through a `blob:` of this page, where the script lies elsewhere: workers have to be of the page's origin. */
function startWorker(url: string): WorkerLike {
  const { origin } = new URL(url);
  if (browser.location?.origin === origin) return new browser.Worker!(url, { type: 'module' });
  const blob = new browser.Blob!([`import ${JSON.stringify(url)};`], { type: 'text/javascript' });
  return new browser.Worker!(browser.URL.createObjectURL(blob), { type: 'module' });
}
