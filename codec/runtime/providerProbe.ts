/**
 * Runs one frame through a graph on a provider, in a process of its own: `node providerProbe.js PROVIDER GRAPH FRAME_SAMPLES`.
 * Prints how many milliseconds that takes to standard output and exits with 0; else prints the reason and exits with 1.
 */
import { readFile } from 'node:fs/promises';
import { Tensor } from 'onnxruntime-node';
import { createSession } from './graph.js';
import type { Provider } from './providers.js';

const [provider = '', graphPath = '', frameSamples = ''] = process.argv.slice(2);

/** After the first run, which prepares. */
const TIMED_RUNS = 5;

async function probe(): Promise<number> {
  const session = await createSession(await readFile(graphPath), provider as Provider, 1);
  const feeds: Record<string, Tensor> = {};
  for (const input of session.inputMetadata) {
    if (!input.isTensor) throw new Error(`the graph's input ${input.name} is no tensor`);
    // Dimensions of free size: one stream, one frame.
    const dims = input.shape.map((size, axis) =>
      typeof size === 'number' ? size : axis === 0 ? 1 : Number(frameSamples),
    );
    const count = dims.reduce((product, size) => product * size, 1);
    feeds[input.name] =
      input.type === 'int8'
        ? new Tensor('int8', new Int8Array(count), dims)
        : new Tensor('float32', new Float32Array(count), dims);
  }
  await session.run(feeds);
  let leastMs = Infinity;
  for (let run = 0; run < TIMED_RUNS; run += 1) {
    const startMs = performance.now();
    await session.run(feeds);
    leastMs = Math.min(leastMs, performance.now() - startMs);
  }
  return leastMs;
}

probe().then(
  (leastMs) => process.stdout.write(String(leastMs), () => process.exit(0)),
  (error: unknown) => {
    process.stdout.write(error instanceof Error ? error.message : String(error), () => process.exit(1));
  },
);
