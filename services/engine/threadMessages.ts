import type { Mode } from '../../protocol/clientMessages.js';
import type { ErrorCode } from '../../protocol/errors.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { PcmFormat } from '../../protocol/pcm.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { RawPcmFormat } from '../../codec/audio/index.js';
import type { Provider } from '../../codec/runtime/providers.js';
import type { RunCost } from './runCosts.js';
import type { RunBounds } from './turnPlanner.js';
import type { RunFigures } from './types.js';

/** What a worker is started with. */
export interface WorkerSettings {
  readonly model: string | undefined;
  readonly provider: 'auto' | Provider;
  /** What suits the provider when undefined. */
  readonly maxBatch: number | undefined;
  readonly maxFramesPerRun: number;
}

/** Engine to worker. `session` is the engine's number of a session, never used twice. */
export type WorkerRequest =
  | {
      readonly type: 'open';
      readonly session: number;
      readonly mode: Mode;
      readonly quantizers: number;
      readonly adaptiveMinimum: number | undefined;
      readonly state: Uint8Array | undefined;
      /** What `bytes` are; undefined where samples come as `pcm`, or tokens. */
      readonly input: RawPcmFormat | undefined;
      readonly output: PcmFormat;
    }
  | { readonly type: 'bytes'; readonly session: number; bytes: Uint8Array }
  | { readonly type: 'pcm'; readonly session: number; readonly samples: Float32Array }
  | { readonly type: 'tokens'; readonly session: number; readonly block: TokenBlock }
  | { readonly type: 'skip'; readonly session: number; readonly frameCount: number }
  | {
      readonly type: 'quantizers';
      readonly session: number;
      readonly quantizers: number;
      readonly adaptiveMinimum: number | undefined;
    }
  | { readonly type: 'flush'; readonly session: number }
  | { readonly type: 'export'; readonly session: number }
  | { readonly type: 'close'; readonly session: number }
  /** Measures what runs cost, and takes sessions from then on. */
  | { readonly type: 'measure' }
  /** Ends the thread when no run is under way: one that is cut off in a run takes the process with it. */
  | { readonly type: 'stop' };

/** What the engine posts to a worker: the requests of one turn of its event loop. */
export interface WorkerPost {
  /** When it was posted, in milliseconds since 1970: threads begin to count at different times. */
  readonly sentMs: number;
  readonly requests: readonly WorkerRequest[];
}

/** Errors lose their class between threads. */
export interface ErrorFields {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What happened to one session. */
export type SessionReport =
  | { readonly type: 'opened'; readonly session: number }
  | { readonly type: 'tokens'; readonly session: number; readonly block: TokenBlock }
  | {
      readonly type: 'pcm';
      readonly session: number;
      readonly firstFrameIndex: number;
      readonly frameCount: number;
      /** Samples in the session's output format. */
      bytes: Uint8Array;
    }
  /** So many bytes more have become so many samples; or samples came, which have no bytes. */
  | {
      readonly type: 'heard';
      readonly session: number;
      readonly byteCount: number;
      readonly sampleCount: number;
      /** A flush follows these samples. */
      readonly endsStretch: boolean;
    }
  | {
      readonly type: 'quantizers';
      readonly session: number;
      readonly quantizers: number;
      readonly fromFrameIndex: number;
    }
  | { readonly type: 'flushed'; readonly session: number; readonly frames: number }
  | { readonly type: 'state'; readonly session: number; readonly state: Uint8Array }
  /** Input that no longer waits: samples where the session takes audio, else frames. */
  | { readonly type: 'taken'; readonly session: number; readonly amount: number }
  | { readonly type: 'failed'; readonly session: number; readonly error: ErrorFields };

/** Worker to engine. */
export type WorkerReport =
  | {
      readonly type: 'loaded';
      readonly model: ModelSummary;
      readonly provider: Provider;
      readonly bounds: RunBounds;
    }
  | { readonly type: 'ready'; readonly costs: readonly RunCost[] }
  | { readonly type: 'unfit'; readonly error: ErrorFields }
  | {
      readonly type: 'turn';
      readonly reports: readonly SessionReport[];
      readonly runs: readonly RunFigures[];
      /** Of each session that was served: how long its first frame took from its arrival to here, in milliseconds. */
      readonly waitsMs: readonly number[];
    };
