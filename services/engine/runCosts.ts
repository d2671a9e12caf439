import { DecoderBatch, EncoderBatch } from '../../codec/runtime/batch.js';
import type { CodecModel } from '../../codec/runtime/model.js';
import type { RunBounds } from './turnPlanner.js';
import type { RunFigures } from './types.js';

/** A measurement is the best of so many runs: others on the machine only make it longer. */
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

/** Measures runs of one session and full ones, of each number of frames that turns use; takes less than a second. */
export async function measureRunCosts(model: CodecModel, bounds: RunBounds): Promise<RunCost[]> {
  const { maxBatch, maxFramesPerRun } = bounds;
  const encoderBatch = new EncoderBatch(model.manifest, maxBatch, maxFramesPerRun);
  const decoderBatch = new DecoderBatch(model.manifest, maxBatch, maxFramesPerRun);
  // As loud as speech: arithmetic on silence can be slower or quicker.
  encoderBatch.pcm.forEach((_, at) => (encoderBatch.pcm[at] = Math.sin(at * at) / 4));
  decoderBatch.active.fill(1);
  const costs: RunCost[] = [];
  for (let frames = 1; frames <= maxFramesPerRun; frames *= 2) {
    const encode = (rows: number): Promise<void> => model.runEncoder(encoderBatch, rows, frames);
    const decode = (rows: number): Promise<void> => model.runDecoder(decoderBatch, rows, frames);
    for (const [graph, run] of [['encoder', encode] as const, ['decoder', decode] as const]) {
      const oneMs = await bestMs(() => run(1));
      const fullMs = maxBatch === 1 ? oneMs : await bestMs(() => run(maxBatch));
      costs.push({ graph, frames, oneMs, fullMs });
    }
  }
  return costs;
}

async function bestMs(run: () => Promise<void>): Promise<number> {
  let best = Infinity;
  // The first run of a shape allocates.
  await run();
  for (let count = 0; count < RUNS_PER_SHAPE; count += 1) {
    const startMs = performance.now();
    await run();
    best = Math.min(best, performance.now() - startMs);
  }
  return best;
}
