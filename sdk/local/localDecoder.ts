import { TesseraError } from '../../protocol/errors.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import { browser, type WorkerLike } from '../platform.js';
import { fetchDecoder, type DownloadProgress } from './modelFiles.js';
import type { WorkerAnswer, WorkerRequest } from './workerMessages.js';

/** Decoding in the page instead of by the server. */
export interface LocalDecodeOptions {
  /** Folder of the model's `manifest.json`, with a slash at its end; by default the server's `/v1/model/`. */
  readonly modelUrl?: string;
  /** Of `dist/client/worker.js`; by default beside this module. */
  readonly workerUrl?: string;
  /** Of onnxruntime's `ort-wasm-simd-threaded.wasm`; by default beside this module. */
  readonly wasmUrl?: string;
  /** Told as the model comes, the first time. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** Samples of a block that was decoded here. */
export interface DecodedBlock {
  /** Sample 0 is that of the first frame's input: the decoder's delay is taken off. */
  readonly firstSampleIndex: number;
  readonly samples: Float32Array;
}

/** A decoder in a Web Worker. */
export class LocalDecoder {
  readonly #worker: WorkerLike;
  /** Time of the runs so far, in milliseconds, and the sound that they gave. */
  #runMs = 0;
  #samples = 0;
  readonly #sampleRate: number;

  private constructor(worker: WorkerLike, sampleRate: number) {
    this.#worker = worker;
    this.#sampleRate = sampleRate;
  }

  /**
   * Fetches the model, unless the browser has it, and starts the worker.
   * @throws TesseraError `connection_failed`, `model_mismatch`, `model_tampered`, `unsupported_platform`
   */
  static async create(
    options: LocalDecodeOptions & { readonly modelUrl: string },
    model: ModelSummary,
    onDecoded: (decoded: DecodedBlock) => void,
    onError: (error: TesseraError) => void,
  ): Promise<LocalDecoder> {
    if (browser.Worker === undefined || browser.Blob === undefined) {
      throw new TesseraError('unsupported_platform', 'There are no Web Workers here: let the server decode');
    }
    const { graph, bytes } = await fetchDecoder(
      options.modelUrl,
      model,
      options.onProgress ?? (() => undefined),
    );
    const besides = (file: string): string => new URL(file, import.meta.url).href;
    const worker = startWorker(options.workerUrl ?? besides('./worker.js'));
    const decoder = new LocalDecoder(worker, model.sampleRate);
    const say = (request: WorkerRequest, transfer: unknown[] = []): void =>
      worker.postMessage(request, transfer as never);
    await new Promise<void>((resolve, reject) => {
      const fail = (message: string): void => {
        const error = new TesseraError('unsupported_platform', `The decoder does not run here (${message})`);
        reject(error);
        onError(error);
      };
      worker.onerror = (event: { readonly message?: string }) =>
        fail(event.message ?? 'its worker did not start');
      worker.onmessage = ({ data }: { readonly data: WorkerAnswer }) => {
        if (data.kind === 'ready') resolve();
        else if (data.kind === 'failed') fail(data.message);
        else {
          decoder.#runMs += data.runMs;
          decoder.#samples += data.samples.length;
          const start = data.firstFrameIndex * graph.hop - model.decoderDelaySamples;
          const warmUp = Math.max(0, -start);
          onDecoded({ firstSampleIndex: start + warmUp, samples: data.samples.subarray(warmUp) });
        }
      };
      say(
        { kind: 'load', graph, bytes, wasmUrl: options.wasmUrl ?? besides('./ort-wasm-simd-threaded.wasm') },
        [bytes],
      );
    }).catch((error: unknown) => {
      worker.terminate();
      throw error;
    });
    return decoder;
  }

  /** How many times faster than real time it runs; 0 before the first block. */
  get speed(): number {
    return this.#runMs === 0 ? 0 : (1000 * this.#samples) / this.#sampleRate / this.#runMs;
  }

  /** Decodes the next block; frames that were left out are not made up here. */
  push(block: TokenBlock): void {
    this.#worker.postMessage({ kind: 'decode', block } satisfies WorkerRequest, [] as never);
  }

  /** Lets go of the worker. */
  close(): void {
    this.#worker.terminate();
  }
}

/** A module worker; through a `blob:` of this page, where the script lies elsewhere: workers have to be of the page's origin. */
function startWorker(url: string): WorkerLike {
  const { origin } = new URL(url);
  if (browser.location?.origin === origin) return new browser.Worker!(url, { type: 'module' });
  const blob = new browser.Blob!([`import ${JSON.stringify(url)};`], { type: 'text/javascript' });
  return new browser.Worker!(browser.URL.createObjectURL(blob), { type: 'module' });
}
