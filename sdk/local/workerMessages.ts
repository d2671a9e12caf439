import type { TokenBlock } from '../../protocol/tokens.js';

/** What the worker has to know of a graph; the model's manifest says it. */
export interface CodecGraph {
  readonly side: 'encoder' | 'decoder';
  /** Samples a frame. */
  readonly hop: number;
  readonly quantizers: number;
  readonly states: readonly {
    readonly input: string;
    readonly output: string;
    readonly shape: readonly number[];
    readonly type: 'float32' | 'int8';
  }[];
}

/** What a graph runs on in a page, as onnxruntime calls it. */
export type LocalRuntime = 'wasm' | 'webgpu';

/** Samples to encode: whole frames. */
export interface PcmPiece {
  readonly firstFrameIndex: number;
  readonly frameCount: number;
  /** Codebooks to keep. */
  readonly quantizers: number;
  readonly samples: Float32Array;
}

/** To the worker. */
export type WorkerRequest =
  | {
      readonly kind: 'load';
      readonly graph: CodecGraph;
      readonly bytes: ArrayBuffer;
      readonly wasmUrl: string;
    }
  | { readonly kind: 'decode'; readonly block: TokenBlock }
  | { readonly kind: 'encode'; readonly piece: PcmPiece };

/** What became of a piece or a block. */
export type WorkerResult =
  | {
      readonly kind: 'pcm';
      readonly firstFrameIndex: number;
      readonly frameCount: number;
      readonly samples: Float32Array;
    }
  | { readonly kind: 'tokens'; readonly frameCount: number; readonly block: TokenBlock };

/** From the worker: one `ready` or `failed`, then a result for each request, in order. */
export type WorkerAnswer =
  | {
      readonly kind: 'ready';
      /** What a frame takes here, at best. */
      readonly frameMs: number;
      readonly runtime: LocalRuntime;
    }
  | {
      readonly kind: 'result';
      readonly result: WorkerResult;
      readonly runMs: number;
      /** On which it ran. */
      readonly runtime: LocalRuntime;
    }
  | { readonly kind: 'failed'; readonly message: string };
