import { GraphDecoder } from './graphDecoder.js';
import type { WorkerAnswer, WorkerRequest } from './workerMessages.js';

/** The worker's script: loads the decoder, then decodes blocks in the order in which they come. */
const scope = globalThis as unknown as {
  onmessage: (event: { readonly data: WorkerRequest }) => void;
  postMessage: (answer: WorkerAnswer) => void;
};

let decoder: GraphDecoder | undefined;
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
    decoder = await GraphDecoder.create(request.graph, request.bytes, request.wasmUrl);
    scope.postMessage({ kind: 'ready' });
    return;
  }
  if (decoder === undefined) return;
  const startMs = performance.now();
  const samples = await decoder.decode(request.block);
  const runMs = performance.now() - startMs;
  scope.postMessage({ kind: 'pcm', firstFrameIndex: request.block.firstFrameIndex, samples, runMs });
}
