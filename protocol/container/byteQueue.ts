const INITIAL_CAPACITY = 4096;

/** Bytes that wait to be read: appended at the end, looked at and dropped at the front, copied about once. */
export class ByteQueue {
  #buffer = new Uint8Array(INITIAL_CAPACITY);
  #start = 0;
  #end = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Appends a copy of `bytes`. */
  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#buffer.length) this.#makeRoom(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The first `length` bytes as a view that holds until the next `push`, or undefined while there are fewer. */
  peek(length: number): Uint8Array | undefined {
    return length > this.length ? undefined : this.#buffer.subarray(this.#start, this.#start + length);
  }

  /** Removes the first `length` bytes. */
  drop(length: number): void {
    this.#start += length;
  }

  /** Moves what waits to the front, into a larger buffer where half of this one would not be free. */
  #makeRoom(length: number): void {
    const needed = this.length + length;
    const waiting = this.#buffer.subarray(this.#start, this.#end);
    if (2 * needed > this.#buffer.length) this.#buffer = new Uint8Array(2 * needed);
    this.#buffer.set(waiting);
    this.#end -= this.#start;
    this.#start = 0;
  }
}
