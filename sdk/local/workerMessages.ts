import type { TokenBlock } from '../../protocol/tokens.js';

/** What the worker has to know of the decoder's graph; the model's manifest says it. */
export interface DecoderGraph {
  /** Samples a frame. */
  readonly hop: number;
  readonly quantizers: number;
  readonly states: readonly {
    readonly input: string;
    readonly output: string;
    readonly shape: readonly number[];
  }[];
}

/** To the worker. */
export type WorkerRequest =
  | {
      readonly kind: 'load';
      readonly graph: DecoderGraph;
      readonly bytes: ArrayBuffer;
      readonly wasmUrl: string;
    }
  | { readonly kind: 'decode'; readonly block: TokenBlock };

/** From the worker: one `ready` or `failed`, then for each block, in order, its samples. */
export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'pcm';
      readonly firstFrameIndex: number;
      readonly samples: Float32Array;
      readonly runMs: number;
    }
  | { readonly kind: 'failed'; readonly message: string };
