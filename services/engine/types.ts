import type { TesseraError } from '../../protocol/errors.js';
import type { Mode } from '../../protocol/clientMessages.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { PcmFormat } from '../../protocol/pcm.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { RawPcmFormat } from '../../codec/audio/index.js';
import type { Provider } from '../../codec/runtime/providers.js';

/** How an engine runs. */
export interface EngineOptions {
  /** Name of a bundled model, or the folder of one; `default` when left out. */
  readonly model?: string;
  /** What runs it; `auto` (also when left out) tries cuda, webgpu, cpu in that order. */
  readonly provider?: 'auto' | Provider;
  /** Worker threads; when left out, one less than there are cores on the cpu provider, and two on a GPU. */
  readonly threads?: number;
  /** Frames that a session may have waiting before its pushes are held back; 50 when left out. */
  readonly maxQueuedFrames?: number;
  /** Sessions in one run; when left out, 32 on the cpu provider and 256 on a GPU. */
  readonly maxBatch?: number;
  /** Frames of one session in one run, 4 when left out: a session that is behind takes more of them at once. */
  readonly maxFramesPerRun?: number;
  /** Takes sessions past what was measured to be kept in time: somebody else bounds them. */
  readonly admitsAll?: boolean;
  /** Script of the worker thread, to run the engine's own under a harness. */
  readonly workerUrl?: URL;
  /** Called after each run of a graph. */
  readonly onRun?: (run: RunFigures) => void;
  /**
   * Called when the engine becomes ready, loses a worker or fails to restart it (`error` says why; others may go on), or
   * closes.
   */
  readonly onStateChange?: (state: EngineState, error?: TesseraError) => void;
}

/** `starting` until all workers have the model, `restarting` while a crash has left no worker. */
export type EngineState = 'starting' | 'ready' | 'restarting' | 'closed';

/** The model that an engine runs. */
export interface EngineModel {
  readonly summary: ModelSummary;
  readonly provider: Provider;
}

/** One run of a graph in a worker. */
export interface RunFigures {
  readonly graph: 'encoder' | 'decoder';
  /** Sessions in it. */
  readonly sessions: number;
  /** Of each session. */
  readonly frames: number;
  readonly durationMs: number;
}

/** What a session is to do. */
export interface EngineSessionOptions {
  readonly mode: Mode;
  /** Codebooks of every frame, in modes `encode` and `resynth`; all of the model when left out. */
  readonly quantizers?: number;
  /** The fewest codebooks of a frame with adaptive depth; when left out, every frame has `quantizers`. */
  readonly adaptiveMinimum?: number | undefined;
  /** From `exportState` of a session of the same mode and model: the session goes on where that one was. */
  readonly state?: Uint8Array;
  /**
   * In modes `encode` and `resynth`: what `pushBytes` takes, which the worker then converts. Without it samples at the
   * model's rate are taken by `pushPcm`.
   */
  readonly input?: RawPcmFormat;
  /** How samples come out, in modes `decode` and `resynth`; `pcm_f32le` when left out. */
  readonly output?: PcmFormat;
  /** Takes the results, in order. It must not throw. */
  readonly onResult: (result: EngineResult) => void;
}

/** What comes out of a session, in the order of its frames. */
export type EngineResult =
  | { readonly kind: 'tokens'; readonly block: TokenBlock }
  | {
      readonly kind: 'pcm';
      readonly firstFrameIndex: number;
      readonly frameCount: number;
      /**
       * `frameCount * hop` samples, in the session's output format, as the decoder gives them: `decoderDelaySamples` behind
       * the frames' place in time.
       */
      readonly bytes: Uint8Array;
    }
  /**
   * So many samples of input more, at the model's rate, before the frames that they make. `endsStretch`: a flush follows
   * them.
   */
  | { readonly kind: 'heard'; readonly sampleCount: number; readonly endsStretch: boolean }
  /** The frames from `fromFrameIndex` on have so many codebooks, with adaptive depth at most; comes before them. */
  | { readonly kind: 'quantizers'; readonly quantizers: number; readonly fromFrameIndex: number }
  /** All that was pushed before the flush has come out; the next frame has index `frames`. */
  | { readonly kind: 'flushed'; readonly frames: number }
  /** The session is lost; nothing more comes. */
  | { readonly kind: 'failed'; readonly error: TesseraError };
