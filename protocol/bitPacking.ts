import { TesseraError } from './errors.js';

/** Codes are kept in 16 bits, and a codebook of one entry carries nothing. */
const MIN_CODEBOOK_SIZE = 2;
const MAX_CODEBOOK_SIZE = 65_536;

/**
 * Bits of one code: ceil(log2(codebookSize)).
 * @throws RangeError when the codebook size is not an integer from 2 to 65,536.
 */
export function bitsPerCode(codebookSize: number): number {
  if (!isCodebookSize(codebookSize)) {
    throw new RangeError(
      `A codebook has ${MIN_CODEBOOK_SIZE} to ${MAX_CODEBOOK_SIZE} entries, not ${codebookSize}`,
    );
  }
  return 32 - Math.clz32(codebookSize - 1);
}

/** Whether `value` can be a codebook size: an integer from 2 to 65,536. */
export function isCodebookSize(value: number): boolean {
  return Number.isInteger(value) && value >= MIN_CODEBOOK_SIZE && value <= MAX_CODEBOOK_SIZE;
}

/** Bytes that `codeCount` packed codes take. */
export function packedLength(codeCount: number, codebookSize: number): number {
  return Math.ceil((codeCount * bitsPerCode(codebookSize)) / 8);
}

/**
 * Packs codes, in the order given, at `bitsPerCode(codebookSize)` bits each, into `target` (exactly
 * `packedLength` bytes, by default a new array).
 *
 * Low bits first: bit 0 of the first code is bit 0 of the first byte. Nothing is padded but the end of the last byte
 * (zeros): at one frame a packet, aligning each codebook to a byte would cost 60% more at 10 bits a code. A relay that
 * drops tail codebooks keeps the first ceil(kept bits / 8) bytes and clears the high bits of the last one.
 * @throws RangeError when a code is not below the codebook size or the target has another length.
 */
export function packCodes(
  codes: Uint16Array,
  codebookSize: number,
  target: Uint8Array = new Uint8Array(packedLength(codes.length, codebookSize)),
): Uint8Array {
  const bits = bitsPerCode(codebookSize);
  if (target.length !== packedLength(codes.length, codebookSize)) {
    throw new RangeError(`${codes.length} codes of ${bits} bits do not make ${target.length} bytes`);
  }
  let pending = 0;
  let pendingBits = 0;
  let at = 0;
  for (const code of codes) {
    if (code >= codebookSize) throw new RangeError(`Code ${code} is outside the codebook of ${codebookSize}`);
    pending |= code << pendingBits;
    pendingBits += bits;
    while (pendingBits >= 8) {
      target[at] = pending & 0xff;
      at += 1;
      pending >>>= 8;
      pendingBits -= 8;
    }
  }
  if (pendingBits > 0) target[at] = pending;
  return target;
}

/**
 * Unpacks `codeCount` codes from `bytes`, the inverse of {@link packCodes}.
 * @throws TesseraError `bad_tokens` when the length is not that of so many codes, a code is not below the codebook
 * size, or a spare bit of the last byte is set.
 */
export function unpackCodes(bytes: Uint8Array, codeCount: number, codebookSize: number): Uint16Array {
  const bits = bitsPerCode(codebookSize);
  const expectedLength = packedLength(codeCount, codebookSize);
  if (bytes.length !== expectedLength) {
    throw new TesseraError(
      'bad_tokens',
      `${codeCount} codes of ${bits} bits take ${expectedLength} bytes, but there are ${bytes.length}`,
    );
  }
  const codes = new Uint16Array(codeCount);
  const mask = 2 ** bits - 1;
  let pending = 0;
  let pendingBits = 0;
  let at = 0;
  for (let index = 0; index < codeCount; index += 1) {
    while (pendingBits < bits) {
      pending |= (bytes[at] ?? 0) << pendingBits;
      at += 1;
      pendingBits += 8;
    }
    const code = pending & mask;
    if (code >= codebookSize) {
      throw new TesseraError(
        'bad_tokens',
        `Code ${code} at position ${index} is outside the codebook of ${codebookSize}`,
      );
    }
    codes[index] = code;
    pending >>>= bits;
    pendingBits -= bits;
  }
  if (pending !== 0) throw new TesseraError('bad_tokens', 'The spare bits after the last code must be zero');
  return codes;
}
