import { TesseraError, type ErrorCode } from './errors.js';
import { readVarint } from './varint.js';

const textDecoder = new TextDecoder('utf-8', { fatal: true });

/** A cursor over bytes that came from elsewhere: every read is checked, and a failure names the field. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #code: ErrorCode;
  readonly #subject: string;
  #offset = 0;

  /** `subject` ("TOKENS frame") opens every error sentence; errors carry `code`. */
  constructor(bytes: Uint8Array, code: ErrorCode, subject: string) {
    this.#bytes = bytes;
    this.#code = code;
    this.#subject = subject;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** The next byte. */
  byte(field: string): number {
    const value = this.#bytes[this.#offset];
    if (value === undefined) throw this.error(`ends before ${field}`);
    this.#offset += 1;
    return value;
  }

  /** An unsigned LEB128 of at least `minimum` and at most `maximum`. */
  varint(field: string, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): number {
    const read = readVarint(this.#bytes, this.#offset, this.#code);
    if (read === undefined) throw this.error(`ends within ${field}`);
    if (read.value < minimum || read.value > maximum) {
      throw this.error(`has ${field} ${read.value}, allowed are ${minimum} to ${maximum}`);
    }
    this.#offset = read.nextOffset;
    return read.value;
  }

  /** The next `length` bytes, as a view. */
  take(field: string, length: number): Uint8Array {
    if (length > this.remaining) {
      throw this.error(`ends within ${field}: ${length} bytes needed, ${this.remaining} left`);
    }
    const view = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return view;
  }

  /** All bytes that are left, as a view. */
  rest(): Uint8Array {
    return this.take('its payload', this.remaining);
  }

  /** UTF-8 text behind its length in bytes. */
  text(field: string, maxBytes: number): string {
    const bytes = this.take(field, this.varint(`the length of ${field}`, 0, maxBytes));
    try {
      return textDecoder.decode(bytes);
    } catch (cause) {
      throw this.error(`has a ${field} that is not UTF-8`, cause);
    }
  }

  /** An unsigned 64-bit little-endian integer of at most 2^53 - 1. */
  uint64(field: string): number {
    const bytes = this.take(field, 8);
    let value = 0;
    for (let at = 7; at >= 0; at -= 1) value = value * 0x100 + (bytes[at] ?? 0);
    if (!Number.isSafeInteger(value)) throw this.error(`has ${field} above 2^53 - 1`);
    return value;
  }

  /** An unsigned 32-bit little-endian integer. */
  uint32(field: string): number {
    return readUint32(this.take(field, 4), 0);
  }

  /** Refuses bytes after the last field. */
  end(): void {
    if (this.remaining > 0) throw this.error(`has ${this.remaining} bytes after its last field`);
  }

  /** An error about these bytes: the subject, then `problem`. */
  error(problem: string, cause?: unknown): TesseraError {
    return new TesseraError(this.#code, `${this.#subject} ${problem}`, { cause });
  }
}

/** The unsigned 32-bit little-endian integer at `offset`. */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
}
