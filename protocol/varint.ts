import { TesseraError, type ErrorCode } from './errors.js';

/** Bytes of the longest varint: 2^53 - 1 takes seven groups of 7 bits and one of 4. */
export const MAX_VARINT_BYTES = 8;

/** A value and the offset of the byte after it. */
export interface VarintRead {
  readonly value: number;
  readonly nextOffset: number;
}

/** Bytes that `value` (a safe non-negative integer) takes as unsigned LEB128. */
export function varintLength(value: number): number {
  assertUnsigned(value);
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}

/**
 * Writes `value` as unsigned LEB128 at `offset` of `target` and returns the offset after it.
 *
 * Arithmetic, not bit operators: those stop at 32 bits, and indices go up to 2^53 - 1.
 * @throws RangeError when the value is not a safe non-negative integer or does not fit the target.
 */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  const nextOffset = offset + varintLength(value);
  if (nextOffset > target.length) throw new RangeError(`A varint of ${value} does not fit at ${offset}`);
  let rest = value;
  for (let at = offset; at < nextOffset - 1; at += 1) {
    target[at] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[nextOffset - 1] = rest;
  return nextOffset;
}

/**
 * Reads an unsigned LEB128 at `offset`, or returns undefined when the bytes end within it (more may come).
 *
 * Every value has one encoding: a superfluous last byte of zero is refused, and so is anything above 2^53 - 1.
 * @throws TesseraError with `code` when the bytes are no varint, whatever may follow.
 */
export function readVarint(bytes: Uint8Array, offset: number, code: ErrorCode): VarintRead | undefined {
  let value = 0;
  let scale = 1;
  for (let length = 1; length <= MAX_VARINT_BYTES; length += 1) {
    const byte = bytes[offset + length - 1];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (byte === 0 && length > 1) throw new TesseraError(code, `The varint at byte ${offset} is overlong`);
      if (!Number.isSafeInteger(value)) break;
      return { value, nextOffset: offset + length };
    }
    scale *= 0x80;
  }
  throw new TesseraError(code, `The varint at byte ${offset} is above 2^53 - 1`);
}

function assertUnsigned(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${value} is not an integer from 0 to 2^53 - 1`);
  }
}
