import { Bottleneck } from '../../../studio/link/bottleneck.js';

test('a message takes its bits by the rate, then the delay', () => {
  const link = new Bottleneck({ bitsPerSecond: 8000, delayMs: 100 });
  expect(link.enter(50, 1000)).toBe(1000 + 50 + 100);
});

test('messages wait for those before them, and an idle link is free at once', () => {
  const link = new Bottleneck({ bitsPerSecond: 8000, delayMs: 0 });
  expect([link.enter(100, 0), link.enter(100, 0), link.enter(100, 10)]).toEqual([100, 200, 300]);
  expect(link.enter(100, 1000)).toBe(1100);
});

test('a link without bound delivers at once, but never before what it holds already', () => {
  const link = new Bottleneck({ bitsPerSecond: 8000, delayMs: 500 });
  const held = link.enter(1000, 0);
  link.shape = { bitsPerSecond: Infinity, delayMs: 0 };
  expect(link.enter(1000, 10)).toBe(held);
  expect(link.enter(1000, held + 1)).toBe(held + 1);
});
