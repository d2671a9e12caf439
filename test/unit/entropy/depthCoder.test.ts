import { codeDepths } from '../../../codec/entropy/depthCoder.js';
import { RangeDecoder, RangeEncoder } from '../../../codec/entropy/rangeCoder.js';
import { SeededRandom } from '../protocol/random.js';

const MAX_DEPTH = 16;

function write(depths: readonly number[]): Uint8Array {
  const coder = new RangeEncoder();
  const isCoded = codeDepths(Uint8Array.from(depths), MAX_DEPTH, (bit, probability) => {
    coder.encode(bit, probability);
    return bit;
  });
  expect(isCoded).toBe(true);
  return coder.finish();
}

function read(bytes: Uint8Array, frames: number): number[] | undefined {
  const coder = new RangeDecoder();
  coder.start(bytes);
  const depths = new Uint8Array(frames);
  return codeDepths(depths, MAX_DEPTH, (_, probability) => coder.decode(probability))
    ? [...depths]
    : undefined;
}

test('gives back every list of depths that has one of two or more', () => {
  const random = new SeededRandom(5);
  for (let most = 2; most <= MAX_DEPTH; most += 1) {
    for (const frames of [1, 2, 5, 50, 400]) {
      const depths = Array.from({ length: frames }, () => 1 + random.below(most));
      depths[random.below(frames)] = most;
      expect(read(write(depths), frames)).toEqual(depths);
    }
  }
});

test('gives back every step from every depth to every other', () => {
  for (let from = 1; from <= MAX_DEPTH; from += 1) {
    const depths = Array.from({ length: MAX_DEPTH }, (_, to) => [from, to + 1]).flat();
    expect(read(write(depths), depths.length)).toEqual(depths);
  }
});

test('is short for speech with its pauses', () => {
  const depths = [
    1, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 4, 1, 2, 2, 2, 2, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 4, 2, 2, 1,
  ];
  expect(8 * write(depths).length).toBeLessThan(2 * depths.length);
  // Steady stretches cost next to nothing.
  expect(write([5, ...new Array<number>(400).fill(1)]).length).toBeLessThan(16);
});

test('refuses bytes whose most is none or one, or beyond the tables', () => {
  expect(read(Uint8Array.of(0x00), 4)).toBeUndefined();
  expect(read(Uint8Array.of(0xff, 0xff), 4)).toBeUndefined();
});
