import {
  decodeClientFrame,
  decodeFrame,
  decodeServerFrame,
  encodeFrame,
  TesseraError,
  type Frame,
  type FrameContext,
} from '../../../protocol/index.js';
import { errorOf, valueOrTesseraError } from './errorsOf.js';
import { SeededRandom } from './random.js';

const context: FrameContext = {
  codebookSize: 1024,
  maxQuantizers: 12,
  maxFramesPerPacket: 50,
  maxFrameBytes: 4096,
};

function randomFrame(
  random: SeededRandom,
  { codebookSize, maxQuantizers, maxFramesPerPacket }: FrameContext,
): Frame {
  const index = random.pick([0, 1, 127, 128, 16_384, 2 ** 32, 2 ** 45, random.below(2 ** 31)]);
  switch (random.pick(['audio', 'tokens', 'pcm', 'gap'] as const)) {
    case 'audio':
      return { kind: 'audio', byteOffset: index, payload: random.bytes(1 + random.below(200)) };
    case 'pcm':
      return { kind: 'pcm', firstSampleIndex: index, payload: random.bytes(1 + random.below(200)) };
    case 'gap':
      return {
        kind: 'gap',
        firstFrameIndex: index,
        frameCount: 1 + random.below(1000),
        reason: random.pick(['unspecified', 'input_lost', 'output_dropped', 'resume_lost'] as const),
      };
    case 'tokens': {
      const frameCount = 1 + random.below(maxFramesPerPacket);
      const quantizers = 1 + random.below(maxQuantizers);
      const codes = random.codes(frameCount * quantizers, codebookSize);
      return { kind: 'tokens', firstFrameIndex: index, frameCount, quantizers, codes };
    }
  }
}

describe('binary frames', () => {
  test('come back as they were sent, at every codebook size', () => {
    const random = new SeededRandom(11);
    for (let round = 0; round < 2000; round += 1) {
      const sized = { ...context, codebookSize: random.pick([2, 3, 1000, 1024, 1025, 65_536]) };
      const frame = randomFrame(random, sized);
      expect(decodeFrame(encodeFrame(frame, sized), sized)).toEqual(frame);
    }
  });

  test('cost four header bytes for one frame in the first two seconds, five up to 5 minutes', () => {
    const tokens = { kind: 'tokens', frameCount: 1, quantizers: 6, codes: new Uint16Array(6) } as const;
    expect(encodeFrame({ ...tokens, firstFrameIndex: 100 }, context)).toHaveLength(4 + 8);
    expect(encodeFrame({ ...tokens, firstFrameIndex: 16_383 }, context)).toHaveLength(5 + 8);
  });

  test('are refused at every truncation', () => {
    const tokens = encodeFrame(
      {
        kind: 'tokens',
        firstFrameIndex: 300,
        frameCount: 3,
        quantizers: 4,
        codes: new Uint16Array(12).fill(1023),
      },
      context,
    );
    const gap = encodeFrame(
      { kind: 'gap', firstFrameIndex: 300, frameCount: 200, reason: 'input_lost' },
      context,
    );
    for (const whole of [tokens, gap]) {
      for (let length = 0; length < whole.length; length += 1) {
        expect(errorOf(() => decodeFrame(whole.subarray(0, length), context)).code).toBe('bad_frame');
      }
      expect(errorOf(() => decodeFrame(Uint8Array.of(...whole, 0), context)).code).toBe('bad_frame');
    }
  });

  test('of every type byte that is not assigned are refused', () => {
    for (let type = 0; type < 256; type += 1) {
      if (type >= 1 && type <= 5) continue;
      const error = errorOf(() => decodeFrame(Uint8Array.of(type, 0, 1, 1, 0, 0), context));
      expect(error.code).toBe('bad_frame');
      expect(error.message).toContain(`0x${type.toString(16).padStart(2, '0')}`);
    }
  });

  test.each([
    ['no frames', [2, 0, 0, 1], 'frame count 0'],
    ['too many frames', [2, 0, 51, 1], 'frame count 51'],
    ['no quantizers', [2, 0, 1, 0], 'quantizers 0'],
    ['more quantizers than the model has', [2, 0, 1, 13], 'quantizers 13'],
    ['an overlong index', [2, 0x80, 0x00, 1, 1, 0, 0], 'overlong'],
    ['an index above 2^53', [2, 255, 255, 255, 255, 255, 255, 255, 16, 1, 1, 0, 0], 'above 2^53'],
    [
      'a run that ends above 2^53',
      [2, 255, 255, 255, 255, 255, 255, 255, 15, 1, 1, 0, 0],
      'above index 2^53',
    ],
    ['an empty gap', [4, 0, 0, 1], 'frame count 0'],
    ['a gap that ends above 2^53', [4, 255, 255, 255, 255, 255, 255, 255, 15, 1, 1], 'above index 2^53'],
    ['audio without payload', [1, 0], 'no payload'],
    ['pcm without payload', [3, 0], 'no payload'],
  ])('with %s are refused', (_what, bytes, problem) => {
    const error = errorOf(() => decodeFrame(Uint8Array.from(bytes), context));
    expect(error.code).toBe('bad_frame');
    expect(error.message).toContain(problem);
  });

  test('with a code outside the codebook or a spare bit set are bad tokens', () => {
    const narrow = { ...context, codebookSize: 1000 };
    expect(errorOf(() => decodeFrame(Uint8Array.of(2, 0, 1, 1, 0xe8, 0x03), narrow)).code).toBe('bad_tokens');
    expect(decodeFrame(Uint8Array.of(2, 0, 1, 1, 0xe7, 0x03), narrow)).toMatchObject({
      codes: Uint16Array.of(999),
    });
    expect(errorOf(() => decodeFrame(Uint8Array.of(2, 0, 1, 1, 0xe7, 0x07), narrow)).code).toBe('bad_tokens');
  });

  test('above the size limit are refused before they are read, at the limit they pass', () => {
    const audio = (length: number) => Uint8Array.of(1, 0, ...new Uint8Array(length - 2));
    expect(decodeFrame(audio(4096), context)).toMatchObject({ kind: 'audio' });
    expect(errorOf(() => decodeFrame(audio(4097), context)).code).toBe('frame_too_large');
  });

  test('of the wrong direction are refused', () => {
    expect(errorOf(() => decodeClientFrame(Uint8Array.of(3, 0, 1, 2), context)).code).toBe('bad_frame');
    expect(errorOf(() => decodeServerFrame(Uint8Array.of(1, 0, 1, 2), context)).code).toBe('bad_frame');
    expect(decodeServerFrame(Uint8Array.of(3, 0, 1, 2), context).kind).toBe('pcm');
    expect(decodeClientFrame(Uint8Array.of(1, 0, 1, 2), context).kind).toBe('audio');
  });

  test('read an unknown gap reason as unspecified', () => {
    expect(decodeFrame(Uint8Array.of(4, 5, 2, 99), context)).toEqual({
      kind: 'gap',
      firstFrameIndex: 5,
      frameCount: 2,
      reason: 'unspecified',
    });
  });

  test('that cannot be sent are refused by the encoder', () => {
    const codes = new Uint16Array(4);
    const impossible: Frame[] = [
      { kind: 'audio', byteOffset: 0, payload: new Uint8Array() },
      { kind: 'audio', byteOffset: -1, payload: new Uint8Array(1) },
      { kind: 'audio', byteOffset: 0.5, payload: new Uint8Array(1) },
      { kind: 'gap', firstFrameIndex: 0, frameCount: 0, reason: 'unspecified' },
      { kind: 'gap', firstFrameIndex: Number.MAX_SAFE_INTEGER, frameCount: 1, reason: 'unspecified' },
      { kind: 'tokens', firstFrameIndex: 0, frameCount: 2, quantizers: 3, codes },
      {
        kind: 'tokens',
        firstFrameIndex: 0,
        frameCount: 2,
        quantizers: 2,
        codes: Uint16Array.of(0, 0, 0, 1024),
      },
    ];
    for (const frame of impossible) expect(() => encodeFrame(frame, context)).toThrow(RangeError);
  });

  test('fuzzed: random bytes and flipped bits give a valid frame or a TesseraError', () => {
    const random = new SeededRandom(23);
    const ambiguous: Uint8Array[] = [];
    let valid = 0;
    for (let round = 0; round < 30_000; round += 1) {
      const bytes =
        round % 2 ? random.bytes(random.below(40)) : encodeFrame(randomFrame(random, context), context);
      if (round % 2) bytes[0] = random.below(7);
      else bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      const frame = valueOrTesseraError(() => decodeFrame(bytes, context));
      if (frame instanceof TesseraError) continue;
      valid += 1;
      // One encoding for every value: what decodes must encode to the same bytes (an unknown gap reason aside).
      if (frame.kind !== 'gap' && encodeFrame(frame, context).join() !== bytes.join()) ambiguous.push(bytes);
    }
    expect(ambiguous).toEqual([]);
    expect(valid).toBeGreaterThan(1000);
  });
});
