import type * as onnxruntime from 'onnxruntime-node';

declare global {
  /** Set by test/nodeEnvironment.ts. */
  var sharedOnnxruntime: typeof onnxruntime;
}

/** In tests, `onnxruntime-node` means this module (see jest.config.js). */
export const { env, InferenceSession, Tensor } = globalThis.sharedOnnxruntime;
