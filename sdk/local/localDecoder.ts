import type { TesseraError } from '../../protocol/errors.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { Unsubscribe } from '../emitter.js';
import { CodecWorker, type LocalModelOptions } from './codecWorker.js';
import type { LocalRuntime } from './workerMessages.js';

/** Live sound that waits for its decoding at most; what comes beyond is left out. */
const MAX_LIVE_BACKLOG_MS = 2000;

/** Samples of a block that was decoded here. */
export interface DecodedBlock {
  /** Sample 0 is that of the first frame's input: the decoder's delay is taken off. */
  readonly firstSampleIndex: number;
  readonly samples: Float32Array;
}

/** Where a decoder's tokens come from, and whom it tells. */
export interface LocalDecoderHost {
  readonly onTokens: (listener: (block: TokenBlock) => void) => Unsubscribe;
  readonly onDecoded: (decoded: DecodedBlock) => void;
  readonly onError: (error: TesseraError) => void;
}

/** Decodes a session's tokens in the page, from now until it is closed. */
export class LocalDecoder {
  readonly #worker: CodecWorker;
  readonly #unsubscribe: Unsubscribe;

  private constructor(worker: CodecWorker, unsubscribe: Unsubscribe) {
    this.#worker = worker;
    this.#unsubscribe = unsubscribe;
  }

  /**
   * Fetches the decoder and starts it; frames that are left out are not made up. `live`: what it does not keep up with is
   * left out.
   * @throws TesseraError what `CodecWorker.create` throws, and `requireRealTime` of live sound.
   */
  static async create(
    options: LocalModelOptions & { readonly modelUrl: string; readonly live?: boolean },
    model: ModelSummary,
    { onTokens, onDecoded, onError }: LocalDecoderHost,
  ): Promise<LocalDecoder> {
    const worker = await CodecWorker.create('decoder', options, model, {
      onResult: (result) => {
        if (result.kind !== 'pcm') return;
        const start = result.firstFrameIndex * model.hop - model.decoderDelaySamples;
        const warmUp = Math.max(0, -start);
        onDecoded({ firstSampleIndex: start + warmUp, samples: result.samples.subarray(warmUp) });
      },
      onError,
    });
    const { live = true } = options;
    try {
      if (live) worker.requireRealTime();
    } catch (error) {
      worker.close();
      throw error;
    }
    const unsubscribe = onTokens((block) => {
      if (live && worker.backlogMs > MAX_LIVE_BACKLOG_MS) return;
      worker.run({ kind: 'decode', block });
    });
    return new LocalDecoder(worker, unsubscribe);
  }

  /** What it runs on. */
  get runtime(): LocalRuntime {
    return this.#worker.runtime;
  }

  /** Lets go of the worker. */
  close(): void {
    this.#unsubscribe();
    this.#worker.close();
  }
}
