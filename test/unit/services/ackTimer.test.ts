import { AckTimer } from '../../../services/bitrate/index.js';
import { seededRandom } from '../../support/streams.js';

describe('the time of acknowledgements', () => {
  /** Packets of 6 frames made at `madeMs`, each acknowledged 50 ms later by a clock that is 1000 ms ahead, 30 ms under way. */
  function timingsOf(madeMs: readonly number[], timer = new AckTimer(20)) {
    return madeMs.map((nowMs, index) => {
      timer.made(6 * (index + 1), nowMs);
      return timer.heard(nowMs + 50 - 30 + 1000, nowMs + 50);
    });
  }

  test('is told once packets are known: so that they are here 20 ms before one is made', () => {
    const madeMs = Array.from({ length: 100 }, (_, index) => 5000 + 120 * index);
    const timings = timingsOf(madeMs);
    expect(timings.findIndex(Boolean)).toBe(7);
    // Said 30 ms earlier, by the client's clock, than it is to be here.
    expect(timings[7]).toEqual({ frameIndex: 48, atMs: madeMs[7]! - 20 - 30 + 1000 });
    expect(timings.filter(Boolean)).toHaveLength(1);
  });

  test('is told again when packets are made at other times, and seldom however much they vary', () => {
    const shifted = Array.from({ length: 200 }, (_, index) => 120 * index + (index < 80 ? 0 : 50));
    const timings = timingsOf(shifted);
    const told = timings.flatMap((timing, index) => (timing ? [index] : []));
    expect(told).toHaveLength(2);
    expect(told[1]).toBeGreaterThan(80);
    expect(told[1]).toBeLessThan(100);
    const random = seededRandom(3);
    const wild = Array.from({ length: 500 }, (_, index) => 120 * index + 1000 * random());
    expect(timingsOf(wild).filter(Boolean).length).toBeLessThanOrEqual(60_000 / 5000 + 1);
  });
});
