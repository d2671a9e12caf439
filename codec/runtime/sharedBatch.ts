import { SerialQueue } from './queue.js';

/** Run memory that streams take in turns; it grows to the largest run asked for. */
export class SharedBatch<Batch extends { readonly maxRows: number; readonly maxFrames: number }> {
  readonly #create: (maxRows: number, maxFrames: number) => Batch;
  readonly #queue = new SerialQueue();
  #batch: Batch | undefined;

  constructor(create: (maxRows: number, maxFrames: number) => Batch) {
    this.#create = create;
  }

  /** Runs `task` when the memory is free, with room for at least `rows` and `frames`. */
  use<Result>(rows: number, frames: number, task: (batch: Batch) => Promise<Result>): Promise<Result> {
    return SerialQueue.run([this.#queue], () => task(this.#fitting(rows, frames)));
  }

  #fitting(rows: number, frames: number): Batch {
    const { maxRows, maxFrames } = this.#batch ?? { maxRows: 0, maxFrames: 0 };
    if (this.#batch === undefined || rows > maxRows || frames > maxFrames) {
      this.#batch = this.#create(roomFor(rows, maxRows), roomFor(frames, maxFrames));
    }
    return this.#batch;
  }
}

/** The next power of two, so that growth ends after a few steps. */
function roomFor(wanted: number, present: number): number {
  return Math.max(present, 2 ** Math.ceil(Math.log2(wanted)));
}
