import {
  bitsPerCode,
  decodePcm,
  encodePcm,
  packCodes,
  packedLength,
  readVarint,
  takeQuantizers,
  TesseraError,
  unpackCodes,
  varintLength,
  writeVarint,
} from '../../../protocol/index.js';
import { errorOf, valueOrTesseraError } from './errorsOf.js';
import { SeededRandom } from './random.js';

function encodeVarint(value: number): Uint8Array {
  const bytes = new Uint8Array(varintLength(value));
  expect(writeVarint(bytes, 0, value)).toBe(bytes.length);
  return bytes;
}

describe('varints', () => {
  test('come back at every power of two and its neighbours', () => {
    for (let exponent = 0; exponent <= 53; exponent += 1) {
      for (const value of [2 ** exponent - 1, 2 ** exponent, 2 ** exponent + 1]) {
        if (!Number.isSafeInteger(value)) continue;
        const bytes = encodeVarint(value);
        expect(bytes).toHaveLength(Math.ceil(value.toString(2).length / 7));
        expect(readVarint(bytes, 0, 'bad_frame')).toEqual({ value, nextOffset: bytes.length });
      }
    }
  });

  test('wait for more bytes at every truncation', () => {
    const bytes = encodeVarint(Number.MAX_SAFE_INTEGER);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(readVarint(bytes.subarray(0, length), 0, 'bad_frame')).toBeUndefined();
    }
  });

  test.each([
    ['zero in two bytes', [0x80, 0x00]],
    ['one in three bytes', [0x81, 0x80, 0x00]],
    ['2^53', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ['eight bytes without end', [255, 255, 255, 255, 255, 255, 255, 255]],
  ])('refuse %s', (_what, bytes) => {
    expect(errorOf(() => readVarint(Uint8Array.from(bytes), 0, 'bad_container')).code).toBe('bad_container');
  });

  test('refuse to write what is no index or does not fit', () => {
    for (const value of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
      expect(() => writeVarint(new Uint8Array(16), 0, value)).toThrow(RangeError);
    }
    expect(() => writeVarint(new Uint8Array(1), 0, 128)).toThrow(RangeError);
  });
});

describe('packed codes', () => {
  test('come back at every codebook size of 2 to 16 bits, at its ends and at random', () => {
    const random = new SeededRandom(3);
    for (const size of [2, 3, 4, 5, 255, 256, 257, 1000, 1024, 4096, 32_769, 65_535, 65_536]) {
      for (let length = 0; length < 40; length += 1) {
        const codes = random.codes(length, size);
        if (length > 1) codes.set([0, size - 1]);
        const bytes = packCodes(codes, size);
        expect(bytes).toHaveLength(Math.ceil((length * bitsPerCode(size)) / 8));
        expect(unpackCodes(bytes, length, size)).toEqual(codes);
      }
    }
  });

  test('cut at a codebook boundary are the bytes of the coarser block, but for the spare bits', () => {
    const random = new SeededRandom(4);
    for (const frameCount of [1, 2, 3, 5, 8]) {
      const quantizers = 12;
      const codes = random.codes(frameCount * quantizers, 1024);
      const block = { firstFrameIndex: 0, frameCount, quantizers, codes };
      const packed = packCodes(codes, 1024);
      for (let kept = 1; kept <= quantizers; kept += 1) {
        const keptBits = frameCount * kept * 10;
        const cut = packed.slice(0, Math.ceil(keptBits / 8));
        if (keptBits % 8) cut[cut.length - 1]! &= (1 << (keptBits % 8)) - 1;
        expect(cut).toEqual(packCodes(takeQuantizers(block, kept).codes, 1024));
      }
    }
  });

  test('bits of a code are those of its largest value', () => {
    for (let size = 2; size <= 65_536; size += 1) {
      const bits = bitsPerCode(size);
      if (2 ** bits < size || 2 ** (bits - 1) >= size)
        throw new Error(`${size} entries do not take ${bits} bits`);
    }
    for (const size of [0, 1, 1.5, 65_537, NaN]) expect(() => bitsPerCode(size)).toThrow(RangeError);
  });

  test('refuse codes outside the codebook, wrong lengths, and spare bits that are set', () => {
    expect(() => packCodes(Uint16Array.of(1000), 1000)).toThrow(RangeError);
    expect(() => packCodes(Uint16Array.of(1), 1000, new Uint8Array(3))).toThrow(RangeError);
    expect(errorOf(() => unpackCodes(new Uint8Array(2), 2, 1024)).code).toBe('bad_tokens');
    expect(errorOf(() => unpackCodes(new Uint8Array(4), 2, 1024)).code).toBe('bad_tokens');
    expect(errorOf(() => unpackCodes(Uint8Array.of(0, 0x04), 1, 1024)).code).toBe('bad_tokens');
    expect(errorOf(() => unpackCodes(Uint8Array.of(0xe8, 0x03), 1, 1000)).code).toBe('bad_tokens');
  });

  test('fuzzed: any bytes give codes of the codebook or a TesseraError', () => {
    const random = new SeededRandom(9);
    for (let round = 0; round < 10_000; round += 1) {
      const size = 2 + random.below(2000);
      const count = random.below(30);
      const bytes = random.bytes(random.below(10) === 0 ? random.below(60) : packedLength(count, size));
      const codes = valueOrTesseraError(() => unpackCodes(bytes, count, size));
      if (codes instanceof TesseraError) continue;
      expect(codes).toHaveLength(count);
      expect(codes.every((code) => code < size)).toBe(true);
    }
  });
});

describe('raw samples', () => {
  test('of 16 bits come back exactly, floats to their own bits', () => {
    const steps = Float32Array.from({ length: 65_536 }, (_, index) => (index - 32_768) / 32_768);
    expect(decodePcm(encodePcm(steps, 'pcm_s16le'), 'pcm_s16le')).toEqual(steps);
    const floats = Float32Array.of(0, -0, 1e-30, 0.1, -1, 3.5, Infinity);
    expect(decodePcm(encodePcm(floats, 'pcm_f32le'), 'pcm_f32le')).toEqual(floats);
  });

  test('beyond full scale are clipped, and NaN is silence', () => {
    const bytes = encodePcm(Float32Array.of(1, 1.5, -1.5, NaN, -Infinity), 'pcm_s16le');
    expect(new Int16Array(bytes.buffer)).toEqual(Int16Array.of(32_767, 32_767, -32_768, 0, -32_768));
  });

  test('between two steps of 16 bits are rounded to the nearer one', () => {
    const bytes = encodePcm(Float32Array.of(1.6 / 32_768, 1.4 / 32_768, -1.6 / 32_768), 'pcm_s16le');
    expect(new Int16Array(bytes.buffer)).toEqual(Int16Array.of(2, 1, -2));
  });

  test('are read at any alignment, and only whole', () => {
    const shifted = Uint8Array.of(9, 0x00, 0x40, 0x00, 0xc0).subarray(1);
    expect(decodePcm(shifted, 'pcm_s16le')).toEqual(Float32Array.of(0.5, -0.5));
    expect(errorOf(() => decodePcm(shifted.subarray(1), 'pcm_s16le')).code).toBe('bad_audio');
    expect(errorOf(() => decodePcm(new Uint8Array(6), 'pcm_f32le')).code).toBe('bad_audio');
  });
});
