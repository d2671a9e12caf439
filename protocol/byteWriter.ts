import { varintLength, writeVarint } from './varint.js';

const textEncoder = new TextEncoder();
const INITIAL_CAPACITY = 64;

/** Bytes under construction: grows as needed, `bytes()` gives what was written so far. */
export class ByteWriter {
  #buffer: Uint8Array;
  #length = 0;

  /** Room for so many bytes beside a few fields is made at once; whatever comes more finds room too. */
  constructor(payloadBytes = 0) {
    this.#buffer = new Uint8Array(INITIAL_CAPACITY + payloadBytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** One byte, the low eight bits of `value`. */
  byte(value: number): this {
    this.reserve(1)[0] = value;
    return this;
  }

  /** Unsigned LEB128. @throws RangeError when not a safe non-negative integer. */
  varint(value: number): this {
    writeVarint(this.reserve(varintLength(value)), 0, value);
    return this;
  }

  /** A copy of `bytes`, as they are. */
  append(bytes: Uint8Array): this {
    this.reserve(bytes.length).set(bytes);
    return this;
  }

  /** UTF-8 text behind its length in bytes. */
  text(value: string): this {
    const bytes = textEncoder.encode(value);
    return this.varint(bytes.length).append(bytes);
  }

  /** Little-endian, 4 bytes. */
  uint32(value: number): this {
    const target = this.reserve(4);
    for (let at = 0; at < 4; at += 1) target[at] = (value >>> (8 * at)) & 0xff;
    return this;
  }

  /** Little-endian, 8 bytes, of a safe non-negative integer. */
  uint64(value: number): this {
    return this.uint32(value % 2 ** 32).uint32(Math.floor(value / 2 ** 32));
  }

  /** Appends `length` zero bytes and returns them for the caller to fill; the view is valid until the next write. */
  reserve(length: number): Uint8Array {
    const end = this.#length + length;
    if (end > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#buffer.length));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    const view = this.#buffer.subarray(this.#length, end);
    this.#length = end;
    return view;
  }

  /** What was written, as a view of the writer's memory: write no more afterwards. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}
