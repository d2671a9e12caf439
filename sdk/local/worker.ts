import { GraphStream } from './graphStream.js';
import type { CodecGraph, WorkerAnswer, WorkerRequest, WorkerResult } from './workerMessages.js';

/** The worker's script: loads a graph, tries how fast it is, then runs blocks in the order in which they come. */
const scope = globalThis as unknown as {
  onmessage: (event: { readonly data: WorkerRequest }) => void;
  postMessage: (answer: WorkerAnswer) => void;
};

/**
 * The first runs are slow, until WebAssembly has been compiled to its end: a trial goes on until a frame takes less than
 * so long, or the time is up.
 */
const GOOD_FRAME_MS = 8;
const MAX_TRIAL_MS = 3000;

let stream: GraphStream | undefined;
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
    const { graph, bytes, wasmUrl } = request;
    stream = await GraphStream.create(graph, bytes, wasmUrl);
    scope.postMessage({ kind: 'ready', frameMs: await trialMs(stream, graph) });
    return;
  }
  if (stream === undefined) return;
  const startMs = performance.now();
  const result = await run(stream, request);
  scope.postMessage({ kind: 'result', result, runMs: performance.now() - startMs });
}

async function run(
  codec: GraphStream,
  request: Exclude<WorkerRequest, { kind: 'load' }>,
): Promise<WorkerResult> {
  if (request.kind === 'encode') {
    const block = await codec.encode(request.piece);
    return { kind: 'tokens', frameCount: block.frameCount, block };
  }
  const { firstFrameIndex, frameCount } = request.block;
  return { kind: 'pcm', firstFrameIndex, frameCount, samples: await codec.decode(request.block) };
}

/** The fastest of some frames: what else the machine does makes single ones slow. */
async function trialMs(codec: GraphStream, { side, hop, quantizers }: CodecGraph): Promise<number> {
  const frame = { firstFrameIndex: 0, frameCount: 1, quantizers };
  const endMs = performance.now() + MAX_TRIAL_MS;
  let leastMs = Infinity;
  while (leastMs > GOOD_FRAME_MS && performance.now() < endMs) {
    const startMs = performance.now();
    if (side === 'encoder') await codec.encode({ ...frame, samples: new Float32Array(hop) });
    else await codec.decode({ ...frame, codes: new Uint16Array(quantizers) });
    leastMs = Math.min(leastMs, performance.now() - startMs);
  }
  codec.reset();
  return leastMs;
}
