import { packetsOf } from '../../../scripts/cli/packets.js';
import { cutToLength } from '../../../scripts/cli/soundLength.js';

/** 0, 1, 2… cut into pieces of the given lengths. */
async function* ramp(lengths: readonly number[]): AsyncGenerator<Float32Array> {
  let next = 0;
  for (const length of lengths) yield Float32Array.from({ length }, () => next++);
  await Promise.resolve();
}

async function lengthsOf(pieces: AsyncIterable<Float32Array>): Promise<number[]> {
  const lengths: number[] = [];
  let next = 0;
  for await (const piece of pieces) {
    lengths.push(piece.length);
    // Nothing lost, nothing twice.
    for (const value of piece) expect(value).toBe(next++);
  }
  return lengths;
}

describe('cutToLength', () => {
  test('gives everything at once where the length is known', async () => {
    expect(await lengthsOf(cutToLength(ramp([4, 4, 4]), 3, () => 10))).toEqual([4, 4, 2]);
    expect(await lengthsOf(cutToLength(ramp([4, 4, 4]), 3, () => 4))).toEqual([4]);
    expect(await lengthsOf(cutToLength(ramp([4, 4]), 3, () => 100))).toEqual([4, 4]);
    expect(await lengthsOf(cutToLength(ramp([4, 4]), 3, () => 0))).toEqual([]);
  });

  test('holds the end back until the length is known', async () => {
    let length: number | undefined;
    async function* source(): AsyncGenerator<Float32Array> {
      yield* ramp([4, 1, 5]);
      length = 8;
    }
    expect(await lengthsOf(cutToLength(source(), 3, () => length))).toEqual([1, 1, 5, 1]);
  });

  test('gives everything where the length stays unknown', async () => {
    expect(await lengthsOf(cutToLength(ramp([2, 2, 2]), 3, () => undefined))).toEqual([1, 2, 3]);
  });
});

describe('packetsOf', () => {
  test.each([[[10]], [[1, 1, 1, 7]], [[3, 4, 3]], [[4, 4, 2]]])(
    'cuts %j into packets of 4',
    async (lengths) => {
      expect(await lengthsOf(packetsOf(ramp(lengths), 4))).toEqual([4, 4, 2]);
    },
  );

  test('gives no empty packet', async () => {
    expect(await lengthsOf(packetsOf(ramp([8]), 4))).toEqual([4, 4]);
    expect(await lengthsOf(packetsOf(ramp([]), 4))).toEqual([]);
  });
});
