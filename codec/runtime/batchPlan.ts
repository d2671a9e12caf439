import type { CodecModel } from './model.js';
import type { Provider } from './providers.js';

/** Frames of one stream in one run at most: longer stretches are cut, which bounds memory and the time of a run. */
export const MAX_FRAMES_PER_RUN = 32;
/** Streams in one run at most. */
export const MAX_ROWS_PER_RUN = 256;

/** Rows of the runs on a GPU. */
const GPU_BUCKETS = [8, 64, 128, 192, 256] as const;

/**
 * The sizes that runs of up to `maxRows` rows have on a GPU, smallest first; none on a processor, where all have. A GPU
 * prepares each shape when it first comes: for up to 20 ms, or a tenth of a second where there are convolutions.
 */
export function rowBuckets(provider: Provider, maxRows: number): number[] {
  if (provider === 'cpu') return [];
  return [...GPU_BUCKETS.filter((bucket) => bucket < maxRows), maxRows];
}

/**
 * Rows that a run of `rows` streams is made of, within a batch of `maxRows`. On a GPU runs are filled up to one of
 * {@link rowBuckets} with rows that nobody reads; a processor would only work for nothing.
 */
export function bucketRows(rows: number, provider: Provider, maxRows: number): number {
  if (provider === 'cpu') return rows;
  return Math.min(GPU_BUCKETS.find((bucket) => bucket >= rows) ?? maxRows, maxRows);
}

/** A stream's stretch of frames that runs work off. */
interface FrameTask {
  readonly frameCount: number;
  readonly framesDone: number;
}

/**
 * The next run over tasks that are not done: all of them, up to the bound on rows, by the frames that they all have;
 * undefined when all are done.
 */
export function planRuns<Task extends FrameTask>(
  tasks: readonly Task[],
): { readonly rows: readonly Task[]; readonly frames: number } | undefined {
  const rows = tasks.filter((task) => task.framesDone < task.frameCount).slice(0, MAX_ROWS_PER_RUN);
  if (rows.length === 0) return undefined;
  const shortest = rows.reduce(
    (least, { frameCount, framesDone }) => Math.min(least, frameCount - framesDone),
    MAX_FRAMES_PER_RUN,
  );
  return { rows, frames: shortest };
}

/** @throws RangeError when streams of a batch are of several models, or one is there twice. */
export function requireSameModel(streams: readonly { readonly model: CodecModel }[]): void {
  if (streams.some(({ model }) => model !== streams[0]?.model)) {
    throw new RangeError('The streams of a batch must be of one model');
  }
  if (new Set(streams).size !== streams.length) throw new RangeError('A stream can be only once in a batch');
}
