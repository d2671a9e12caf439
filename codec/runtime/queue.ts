/** A queue of one place: what shares it runs one after the other, in the order of arrival. */
export class SerialQueue {
  #last: Promise<void> = Promise.resolve();
  #unfinished = 0;

  /** Whether nothing runs or waits. */
  get idle(): boolean {
    return this.#unfinished === 0;
  }

  /** Joins the end of all `queues` at once (so that no two tasks wait for each other), and runs when first in each. */
  static async run<Result>(queues: readonly SerialQueue[], task: () => Promise<Result>): Promise<Result> {
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const before = queues.map((queue) => queue.#join(finished));
    try {
      await Promise.all(before);
      return await task();
    } finally {
      for (const queue of queues) queue.#unfinished -= 1;
      finish();
    }
  }

  #join(finished: Promise<void>): Promise<void> {
    const before = this.#last;
    this.#last = finished;
    this.#unfinished += 1;
    return before;
  }
}
