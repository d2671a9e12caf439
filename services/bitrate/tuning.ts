/**
 * What is tuned; `docs/benchmarks/bitrate.md` shows what it gives. Rates count all bytes on the wire. It was tuned on the
 * seeds 1 to 10 of the bench's traces, whose report uses others.
 */
export const TUNING = {
  startBitsPerSecond: 8000,
  /** Share by which the rate grows in a second until the link is full for the first time. */
  startupGrowth: 0.8,
  /** By so much it grows in a second later, and by up to so much more the longer ago the link was full. */
  probingBitsPerSecond: 300,
  hastyBitsPerSecond: 2500,
  hasteMs: 1400,
  /** The rate at which these hold: less grows faster and backs off by less, so that two on one link become alike. */
  middleBitsPerSecond: 11_000,
  /** Share by which the rate falls there when there is a queue, and its bounds at other rates. */
  backOff: 0.07,
  leastBackOff: 0.03,
  mostBackOff: 0.5,
  /** Beyond what the link was seen to carry by more than this, a smaller share of the queueing has to go. */
  knownBitsPerSecond: 600,
  watchfulShare: 0.5,
  /** The rate does not grow beyond that by more than this share of what can be spared when the queue has to drain. */
  mostAboveShare: 1.5,
  /** Nor by more than this factor beyond the rate from which on the packets would be better. */
  headroom: 1.05,
  /** Queueing that has to go at the middle rate, its bounds at others, and queueing that does not count. */
  overuseMs: 70,
  leastOveruseShare: 0.6,
  mostOveruseShare: 1.4,
  clearMs: 55,
  /** What is sent while a queue drains falls with the queue, to nothing at so much of it, but not below this share. */
  drainMs: 900,
  leastDrainShare: 0.2,
  /** While a queue drains, a link that carries less than this share of the target has become slower. */
  fallenShare: 0.9,
  /** If the queue still grows beyond so much, the rate falls by this share. */
  risingMs: 130,
  risingBackOff: 0.15,
  /** How long the rate rests after a back-off. */
  restMs: 180,
  /** A packet that is overdue by so much has met a queue. */
  overdueMs: 140,
  /** A packet that is overdue by so much tells of a stall. */
  starvedMs: 300,
  /** Packets arrive as they were sent when their distance is the same up to this share. */
  asSentShare: 0.08,
  /** Packets that come so, at less than this share of what the link carries, have met no queue. */
  undisturbedShare: 0.95,
  /** More than this factor of the target is no sight of what the link carries. */
  mostSeen: 4,
  /** How far a packet whose codes take more, or less, moves what codes are believed to take. */
  dearerCodesShare: 0.25,
  cheaperCodesShare: 0.03,
  /** Memory of the least delay. */
  baseWindowMs: 14_000,
  /** Queue that may stand in the network, as time, besides what is not acknowledged yet. */
  inFlightMs: 125,
  /** What has waited for longer is dropped, unless the receiver has sound to play for longer; and never later. */
  leastAgeMs: 110,
  mostAgeMs: 1000,
} as const;

/** Packets under way that are remembered. */
export const MAX_TRACKED_PACKETS = 256;
/** Delays that are. */
export const MAX_DELAY_SAMPLES = 100;
