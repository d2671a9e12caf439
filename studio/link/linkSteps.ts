import type { LinkShape } from './bottleneck.js';

/** Links that the slider offers, from the thinnest; past the last there is no bound. */
export const LINK_STEPS: readonly LinkShape[] = [
  { bitsPerSecond: 5000, delayMs: 150 },
  { bitsPerSecond: 6500, delayMs: 150 },
  { bitsPerSecond: 8000, delayMs: 120 },
  { bitsPerSecond: 10_000, delayMs: 100 },
  { bitsPerSecond: 14_000, delayMs: 80 },
  { bitsPerSecond: 20_000, delayMs: 60 },
];
