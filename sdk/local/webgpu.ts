import { env, InferenceSession, Tensor } from 'onnxruntime-web/jspi';
import { GraphStream } from './graphStream.js';
import type { CodecGraph } from './workerMessages.js';

/**
 * A stream on WebGPU. This is a file of its own at run time: with onnxruntime's build for WebGPU beside it, only those fetch it
 * who have a GPU.
 * @throws Error of the runtime, and where `signal` ended the download.
 */
export async function createWebGpuStream(
  graph: CodecGraph,
  bytes: ArrayBuffer,
  signal: AbortSignal,
): Promise<GraphStream> {
  const wasmUrl = new URL('./ort-wasm-simd-threaded.jspi.wasm', import.meta.url);
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = await (await fetch(wasmUrl, { signal })).arrayBuffer();
  return GraphStream.create({ InferenceSession, Tensor }, 'webgpu', graph, bytes);
}
