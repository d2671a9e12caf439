import type { Manifest } from '../manifest.js';

/** One run over a stretch of a recording, in frames of it; an end is the index after the last. */
export interface FrameWindow {
  /** What the run reads. */
  readonly start: number;
  readonly end: number;
  /** What is taken of its output; the rest is context. */
  readonly takeStart: number;
  readonly takeEnd: number;
}

/** How far a recording is. */
export interface WindowProgress {
  /** Frames that are there. */
  readonly received: number;
  /** Frames that are worked off. */
  readonly done: number;
  /** Whether no more will come. */
  readonly isEnd: boolean;
}

/**
 * The next window over a recording; undefined while it has to wait for more frames, and at the end. The first window has
 * no margin in front and the last one none behind: a recording shorter than such a window is run as a whole.
 */
export function nextWindow(
  { frames, marginFrames }: NonNullable<Manifest['windows']>,
  { received, done, isEnd }: WindowProgress,
): FrameWindow | undefined {
  const start = Math.max(0, done - marginFrames);
  const takeEnd = done + frames - 2 * marginFrames;
  const end = takeEnd + marginFrames;
  if (received >= end) return { start, end, takeStart: done, takeEnd };
  if (!isEnd || received === done) return undefined;
  return { start, end: received, takeStart: done, takeEnd: received };
}

/** Copies the frames that a window gives out of its run's output, [quantizers, frames of the run]. */
export function takeFrames(
  from: Int32Array | Float32Array,
  { start, end, takeStart, takeEnd }: FrameWindow,
  to: Uint16Array | Float32Array,
  quantizers: number,
): void {
  const count = takeEnd - takeStart;
  for (let quantizer = 0; quantizer < quantizers; quantizer += 1) {
    const first = quantizer * (end - start) + takeStart - start;
    to.set(from.subarray(first, first + count), quantizer * count);
  }
}
