/**
 * An async iterator over what is pushed, for one reader. It holds `maxItems` at most: a reader that falls behind further
 * loses the oldest, and sees from the indices of what it gets that something is missing.
 */
export class BoundedStream<Item> implements AsyncIterableIterator<Item> {
  readonly #maxItems: number;
  readonly #onReturn: (stream: BoundedStream<Item>) => void;
  readonly #items: Item[] = [];
  #waiting: { resolve: (result: IteratorResult<Item>) => void; reject: (error: unknown) => void }[] = [];
  #end: { readonly error: unknown } | undefined;

  /** `onReturn` is called when the reader leaves, by `break` or `return`. */
  constructor(maxItems: number, onReturn: (stream: BoundedStream<Item>) => void) {
    this.#maxItems = maxItems;
    this.#onReturn = onReturn;
  }

  /** Itself: it can be read once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next item; after the end, done, or the error that ended it. */
  next(): Promise<IteratorResult<Item>> {
    const [item] = this.#items;
    if (item !== undefined) {
      this.#items.shift();
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#end) return this.#finish(this.#end.error);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The reader leaves: nothing is kept for it any more. */
  return(): Promise<IteratorResult<Item>> {
    this.end();
    this.#items.length = 0;
    this.#onReturn(this);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Hands an item to the reader, now or when it asks. */
  push(item: Item): void {
    if (this.#end) return;
    const waiting = this.#waiting.shift();
    if (waiting) {
      waiting.resolve({ done: false, value: item });
      return;
    }
    if (this.#items.length >= this.#maxItems) this.#items.shift();
    this.#items.push(item);
  }

  /** Nothing more comes; a reader that has had what is left is told, with `error` where there is one. */
  end(error?: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve, reject } of waiting) this.#finish(error).then(resolve, reject);
  }

  #finish(error: unknown): Promise<IteratorResult<Item>> {
    if (error === undefined) return Promise.resolve({ done: true, value: undefined });
    // Told once: who asks again after an error is done.
    this.#end = { error: undefined };
    return Promise.reject(error instanceof Error ? error : new Error('The session failed', { cause: error }));
  }
}
