/** How a client comes back; every time in milliseconds. */
export interface ReconnectOptions {
  /** Attempts end so long after the connection broke, and the session with them: 60,000 when left out. */
  readonly giveUpAfterMs?: number;
}

/** For so long an outage counts as young: the server restarts, a phone changes networks. */
const YOUNG_MS = 3000;
/** Between attempts of a young outage: short against what is heard, yet too few for browsers to begin to throttle. */
const YOUNG_DELAY_MS = 150;
const FIRST_DELAY_MS = 50;
const GROWTH = 1.6;
const MAX_DELAY_MS = 10_000;
/** Clients that were cut off together do not come back together. */
const SPREAD = 0.2;

/**
 * How long to wait before an attempt. Young outages are tried often; then the wait grows up to 10 s.
 * @param attempt from 0 since the connection broke; `outageMs` since then; `random` within [0, 1).
 */
export function backoffDelayMs(attempt: number, outageMs: number, random: number): number {
  const spread = 1 + SPREAD * (2 * random - 1);
  if (attempt === 0) return FIRST_DELAY_MS * spread;
  const grown = outageMs < YOUNG_MS ? YOUNG_DELAY_MS : YOUNG_DELAY_MS * GROWTH ** Math.log2(outageMs / 1000);
  return Math.min(MAX_DELAY_MS, grown) * spread;
}
