import type { Manifest } from '../../codec/manifest.js';
import { rowBuckets } from '../../codec/runtime/batchPlan.js';
import { decodeBatch, StreamingDecoder } from '../../codec/runtime/decoder.js';
import { encodeBatch, StreamingEncoder } from '../../codec/runtime/encoder.js';
import type { CodecModel } from '../../codec/runtime/model.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { RunBounds } from './turnPlanner.js';
import type { RunFigures } from './types.js';

/** A measurement is the best of so many runs, after one that allocates: others on the machine only make it longer. */
const RUNS_PER_SHAPE = 3;

/** What runs of a graph cost at one number of frames, in milliseconds. */
export interface RunCost {
  readonly graph: RunFigures['graph'];
  readonly frames: number;
  /** Of a run of one session. */
  readonly oneMs: number;
  /** Of a full run. */
  readonly fullMs: number;
}

/**
 * Measures runs of one session and full ones, of each number of frames that turns use; takes a second or so, on a GPU some
 * more, which prepares all shapes of runs first: one that came later would make everybody late. They are those
 * of real streams, with the copies of their states: on a GPU these cost more than the run. Shapes take turns, as they do
 * later: a run after others of its shape finds more in the caches.
 */
export async function measureRunCosts(model: CodecModel, bounds: RunBounds): Promise<RunCost[]> {
  const { maxBatch, maxFramesPerRun } = bounds;
  const encoders = Array.from({ length: maxBatch }, () => new StreamingEncoder(model));
  const decoders = Array.from({ length: maxBatch }, () => new StreamingDecoder(model));
  const shapes: { graph: RunFigures['graph']; frames: number; run: (rows: number) => Promise<unknown> }[] =
    [];
  for (let frames = 1; frames <= maxFramesPerRun; frames *= 2) {
    const pcm = measuringSound(model.manifest, frames);
    const encode = (rows: number): Promise<unknown> =>
      encodeBatch(encoders.slice(0, rows).map((encoder) => ({ encoder, pcm })));
    const decode = (rows: number): Promise<unknown> =>
      decodeBatch(
        decoders.slice(0, rows).map((decoder) => ({ decoder, block: measuringBlock(decoder, frames) })),
      );
    shapes.push({ graph: 'encoder', frames, run: encode }, { graph: 'decoder', frames, run: decode });
  }
  for (const rows of rowBuckets(model.provider, maxBatch)) {
    for (const { run } of shapes) await run(rows);
  }
  const costs = shapes.map(({ graph, frames }) => ({ graph, frames, oneMs: Infinity, fullMs: Infinity }));
  for (let round = 0; round <= RUNS_PER_SHAPE; round += 1) {
    for (const [index, { run }] of shapes.entries()) {
      const cost = costs[index];
      const oneMs = await timed(() => run(1));
      const fullMs = maxBatch === 1 ? oneMs : await timed(() => run(maxBatch));
      if (round === 0 || cost === undefined) continue;
      cost.oneMs = Math.min(cost.oneMs, oneMs);
      cost.fullMs = Math.min(cost.fullMs, fullMs);
    }
  }
  for (const stream of [...encoders, ...decoders]) stream.close();
  return costs;
}

/** As loud as speech: arithmetic on silence can be slower or quicker. */
function measuringSound({ hop }: Manifest, frames: number): Float32Array {
  return new Float32Array(frames * hop).map((_, at) => Math.sin(at * at) / 4);
}

/** The next frames of a stream, of all codebooks. */
function measuringBlock({ model, frameIndex }: StreamingDecoder, frameCount: number): TokenBlock {
  const { quantizers, codebookSize } = model.manifest;
  const codes = new Uint16Array(quantizers * frameCount).map((_, at) => (at * at) % codebookSize);
  return { firstFrameIndex: frameIndex, frameCount, quantizers, codes };
}

/** How long something takes, in milliseconds. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}
