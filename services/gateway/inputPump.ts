import { TesseraError } from '../../protocol/errors.js';

/** Memory of a waiting item besides its bytes, so that many tiny ones count too. */
const ITEM_OVERHEAD_BYTES = 64;
/** What a socket may still deliver after it was told to pause stays below this multiple of the bound. */
const OVERFLOW_FACTOR = 4;

/** How an {@link InputPump} works. */
export interface InputPumpOptions<Item> {
  /** Bytes that may wait before the source is paused. */
  readonly maxBytes: number;
  /** Handles one item; the next waits until it is done. */
  readonly handle: (item: Item) => Promise<void>;
  /** True when the source should pause, false when it may go on. */
  readonly onPause: (paused: boolean) => void;
  /** `handle` threw; nothing more is handled. */
  readonly onError: (error: unknown) => void;
}

/** Handles items one after the other, in order; what waits is bounded by pausing the source. */
export class InputPump<Item> {
  readonly #options: InputPumpOptions<Item>;
  #waiting: { readonly item: Item; readonly bytes: number }[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #isHandling = false;
  #isClosed = false;

  constructor(options: InputPumpOptions<Item>) {
    this.#options = options;
  }

  /** Whether the source is asked to pause. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /**
   * Appends an item that holds so many bytes.
   * @throws TesseraError `input_overflow` where the source does not pause.
   */
  add(item: Item, bytes: number): void {
    if (this.#isClosed) return;
    const cost = bytes + ITEM_OVERHEAD_BYTES;
    if (this.#waitingBytes + cost > OVERFLOW_FACTOR * this.#options.maxBytes) {
      throw new TesseraError('input_overflow', 'More input came than may wait here; send it in real time');
    }
    this.#waiting.push({ item, bytes: cost });
    this.#waitingBytes += cost;
    this.#updatePause();
    if (!this.#isHandling) void this.#handleAll();
  }

  /** Drops what waits. Safe to call again. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#updatePause();
  }

  async #handleAll(): Promise<void> {
    this.#isHandling = true;
    try {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
        await this.#options.handle(next.item);
        if (this.#isClosed) return;
        this.#waitingBytes -= next.bytes;
        this.#updatePause();
      }
    } catch (error) {
      if (this.#isClosed) return;
      this.close();
      this.#options.onError(error);
    } finally {
      this.#isHandling = false;
    }
  }

  #updatePause(): void {
    const { maxBytes } = this.#options;
    // Between the two bounds nothing changes, or every item would pause and resume the socket.
    const paused = this.#waitingBytes >= (this.#isPaused ? maxBytes / 2 : maxBytes);
    if (paused === this.#isPaused) return;
    this.#isPaused = paused;
    this.#options.onPause(paused);
  }
}
