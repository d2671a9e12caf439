import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import { GraphStream, type CodecStream } from './graphStream.js';
import { ChosenStream, hasWebGpu } from './runtimeChoice.js';
import type { WorkerAnswer, WorkerRequest, WorkerResult } from './workerMessages.js';

/** The worker's script: loads a graph, chooses what it runs on, then runs blocks in the order in which they come. */
const scope = globalThis as unknown as {
  onmessage: (event: { readonly data: WorkerRequest }) => void;
  postMessage: (answer: WorkerAnswer) => void;
};

let chosen: ChosenStream | undefined;
let work = Promise.resolve();

scope.onmessage = ({ data }) => {
  work = work
    .then(() => answer(data))
    .catch((error: unknown) => {
      scope.postMessage({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    });
};

async function answer(request: WorkerRequest): Promise<void> {
  if (request.kind === 'load') {
    chosen = await load(request);
    scope.postMessage({ kind: 'ready', frameMs: chosen.frameMs, runtime: chosen.runtime });
    return;
  }
  if (chosen === undefined) return;
  const startMs = performance.now();
  const result = await chosen.run((stream) => run(stream, request));
  scope.postMessage({
    kind: 'result',
    result,
    runMs: performance.now() - startMs,
    runtime: chosen.runtime,
  });
}

async function load({
  graph,
  bytes,
  wasmUrl,
}: Extract<WorkerRequest, { kind: 'load' }>): Promise<ChosenStream> {
  env.wasm.numThreads = 1;
  env.wasm.wasmPaths = { wasm: wasmUrl };
  const wasm = await GraphStream.create({ InferenceSession, Tensor }, 'wasm', graph, bytes);
  return ChosenStream.choose(graph, wasm, async (signal) => {
    if (!(await hasWebGpu(globalThis))) return undefined;
    const { createWebGpuStream } = await import('./webgpu.js');
    return createWebGpuStream(graph, bytes, signal);
  });
}

async function run(
  codec: CodecStream,
  request: Exclude<WorkerRequest, { kind: 'load' }>,
): Promise<WorkerResult> {
  if (request.kind === 'encode') {
    const block = await codec.encode(request.piece);
    return { kind: 'tokens', frameCount: block.frameCount, block };
  }
  const { firstFrameIndex, frameCount } = request.block;
  return { kind: 'pcm', firstFrameIndex, frameCount, samples: await codec.decode(request.block) };
}
