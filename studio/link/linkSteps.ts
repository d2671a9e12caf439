import type { LinkShape } from './bottleneck.js';

/** Links that the slider offers, from the thinnest; past the last there is no bound. */
export const LINK_STEPS: readonly LinkShape[] = [
  { bitsPerSecond: 2000, delayMs: 150 },
  { bitsPerSecond: 3000, delayMs: 150 },
  { bitsPerSecond: 4000, delayMs: 120 },
  { bitsPerSecond: 6000, delayMs: 80 },
  { bitsPerSecond: 9000, delayMs: 60 },
  { bitsPerSecond: 16_000, delayMs: 40 },
];
