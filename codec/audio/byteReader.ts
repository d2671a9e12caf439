import type { Readable } from 'node:stream';

/** Pulls bytes from a stream in the amounts that a parser wants. Holds one chunk of the stream at a time. */
export class ByteReader {
  readonly #stream: Readable;
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** Bytes taken from the stream and not yet read. */
  #pending: Uint8Array = new Uint8Array(0);
  #waiting = false;

  constructor(stream: Readable) {
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  /** True while a read waits for the stream, so that a slow source is told from a stuck consumer. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** Exactly `length` bytes, or fewer where the stream ends. For headers: `length` should be small. */
  async read(length: number): Promise<Uint8Array> {
    const result = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const part = await this.readSome(length - filled);
      if (part === undefined) return result.subarray(0, filled);
      result.set(part, filled);
      filled += part.length;
    }
    return result;
  }

  /** The next 1 to `maxBytes` bytes, as they come; undefined at the end. */
  async readSome(maxBytes: number): Promise<Uint8Array | undefined> {
    while (this.#pending.length === 0) {
      this.#waiting = true;
      const next = await this.#chunks.next().finally(() => (this.#waiting = false));
      if (next.done === true) return undefined;
      this.#pending = next.value;
    }
    const part = this.#pending.subarray(0, maxBytes);
    this.#pending = this.#pending.subarray(part.length);
    return part;
  }

  /** Passes over `length` bytes. @returns how many there were. */
  async skip(length: number): Promise<number> {
    let skipped = 0;
    while (skipped < length) {
      const part = await this.readSome(length - skipped);
      if (part === undefined) break;
      skipped += part.length;
    }
    return skipped;
  }

  /** Puts `bytes` back in front of what is still to be read. */
  unread(bytes: Uint8Array): void {
    const joined = new Uint8Array(bytes.length + this.#pending.length);
    joined.set(bytes);
    joined.set(this.#pending, bytes.length);
    this.#pending = joined;
  }

  /** All that is left, chunk by chunk. */
  async *rest(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const part = await this.readSome(Number.MAX_SAFE_INTEGER);
      if (part === undefined) return;
      yield part;
    }
  }

  /** Drops the stream; a read that waits ends. */
  close(): void {
    this.#stream.destroy();
  }
}
