import { AbTracks } from '../../../studio/audio/abTracks.js';

const RATE = 24_000;
const BLOCK = 128;

/** Sample n of the original is n + 1, of the resynthesis -(n + 1): each tells its place. */
class Bench {
  readonly tracks = new AbTracks(RATE, 1);
  #end = 0;

  /** A block of the original comes in, and one goes out. Returns it. */
  step(): { output: Float32Array; hasMoved: boolean } {
    this.tracks.pushOriginal(Float32Array.from({ length: BLOCK }, (_, i) => this.#end + i + 1));
    this.#end += BLOCK;
    const [output, original, resynthesis] = [
      new Float32Array(BLOCK),
      new Float32Array(BLOCK),
      new Float32Array(BLOCK),
    ];
    const hasMoved = this.tracks.pull(output, original, resynthesis);
    return { output, hasMoved };
  }

  /** The resynthesis of samples `first` to before `end` arrives. */
  arrive(first: number, end: number): void {
    this.tracks.pushResynthesis(
      Float32Array.from({ length: end - first }, (_, i) => -(first + i + 1)),
      first,
    );
  }

  /** Steps with the resynthesis `lag` samples behind. */
  run(steps: number, lag: number): Float32Array {
    let last = new Float32Array(BLOCK);
    for (let i = 0; i < steps; i += 1) {
      const { inputEnd } = this.tracks.status;
      if (inputEnd - BLOCK >= lag) this.arrive(inputEnd - BLOCK - lag, inputEnd - lag);
      last = this.step().output as Float32Array<ArrayBuffer>;
    }
    return last;
  }
}

test('nothing is heard before enough of the resynthesis is there', () => {
  const bench = new Bench();
  expect(bench.step().hasMoved).toBe(false);
  bench.run(3, 0);
  expect(bench.tracks.status.head).toBe(0);
  bench.run(20, 0);
  expect(bench.tracks.status.head).toBeGreaterThan(0);
});

test('A and B are the same place, and the switch fades from one to the other', () => {
  const bench = new Bench();
  const before = bench.run(60, 0);
  const place = -before[BLOCK - 1]!;
  expect(Math.round(place)).toBe(bench.tracks.status.head);
  bench.tracks.isOriginal = true;
  const during = bench.run(1, 0);
  expect(Math.abs(during[0]!)).toBeLessThan(place);
  const after = bench.run(3, 0);
  expect(Math.round(after[BLOCK - 1]!)).toBe(bench.tracks.status.head);
});

test('the delay is constant while packets come in time', () => {
  const bench = new Bench();
  bench.run(60, 240);
  const delay = bench.tracks.status.inputEnd - bench.tracks.status.head;
  bench.run(100, 240);
  expect(bench.tracks.status.inputEnd - bench.tracks.status.head).toBe(delay);
  expect(bench.tracks.status.stalls).toBe(0);
});

test('late packets make the head wait, with more in hand afterwards; once they are early for long, it catches up', () => {
  const bench = new Bench();
  bench.run(60, 0);
  const delay = (): number => bench.tracks.status.inputEnd - bench.tracks.status.head;
  const before = delay();
  for (let i = 0; i < 40; i += 1) bench.step();
  expect(bench.tracks.status.stalls).toBe(1);
  bench.arrive(0, bench.tracks.status.inputEnd);
  bench.run(20, 0);
  expect(delay()).toBeGreaterThan(before + 30 * BLOCK);
  bench.run(2000, 0);
  expect(delay()).toBeLessThan(before + 20 * BLOCK);
});

test('a gap is passed as silence', () => {
  const bench = new Bench();
  bench.run(60, 0);
  const { head, inputEnd } = bench.tracks.status;
  bench.tracks.skipResynthesis(inputEnd + 10 * BLOCK);
  for (let i = 0; i < 8; i += 1) {
    bench.step();
    bench.tracks.skipResynthesis(inputEnd + 10 * BLOCK);
  }
  expect(bench.tracks.status.stalls).toBe(0);
  expect(bench.tracks.status.head).toBe(head + 8 * BLOCK);
});

test('what never comes holds no more than it may', () => {
  const bench = new Bench();
  for (let i = 0; i < 400; i += 1) bench.step();
  const { inputEnd, head } = bench.tracks.status;
  expect(inputEnd - head).toBeLessThanOrEqual(RATE);
  // Late for good: it is dropped, and what is new plays on.
  bench.arrive(0, 2000);
  bench.run(60, 0);
  expect(bench.tracks.status.buffered).toBeGreaterThan(0);
});
