/**
 * What is tuned; `docs/benchmarks/bitrate.md` shows what it gives. Rates count all bytes on the wire. It was tuned on seeds up to
 * 240 of the bench's traces and shared links, whose report uses others.
 */
export const TUNING = {
  startBitsPerSecond: 8000,
  /** Share by which the rate grows in a second until the link is full for the first time. */
  startupGrowth: 0.701,
  /** By so much it grows in a second later, and by up to so much more the longer ago the link was full. */
  probingBitsPerSecond: 300,
  hastyBitsPerSecond: 2500,
  hasteMs: 1700,
  /** The rate at which these hold: less grows faster and backs off by less, so that two on one link become alike. */
  middleBitsPerSecond: 11_000,
  /** Share by which the rate falls there when there is a queue, and its bounds at other rates. */
  backOff: 0.063,
  leastBackOff: 0.03,
  mostBackOff: 0.568,
  /** Beyond what the link was seen to carry by more than this, a smaller share of the queueing has to go. */
  knownBitsPerSecond: 485,
  watchfulShare: 0.523,
  /** The rate does not grow beyond that by more than this share of what can be spared when the queue has to drain. */
  mostAboveShare: 2.26,
  /** Nor by more than this factor beyond the rate from which on the packets would be better. */
  headroom: 1.05,
  /** Queueing that has to go at the middle rate, its bounds at others, and queueing that does not count. */
  overuseMs: 70,
  leastOveruseShare: 0.402,
  mostOveruseShare: 2.87,
  clearMs: 88,
  /** A queue that grows is judged by where it will be so much later. */
  aheadSeconds: 0.2,
  /** What is sent while a queue drains falls with the queue, to nothing at so much of it, but not below this share. */
  drainMs: 900,
  leastDrainShare: 0.185,
  /** While a queue drains, a link that carries less than this share of the target has become slower. */
  fallenShare: 0.865,
  /** If the queue still grows beyond so much, the rate falls by this share. */
  risingMs: 179,
  risingBackOff: 0.162,
  /** How long the rate rests after a back-off. */
  restMs: 243,
  /** A packet that is overdue by so much has met a queue. */
  overdueMs: 187,
  /** A packet that is overdue by so much tells of a stall. */
  starvedMs: 826,
  /** Packets arrive as they were sent when their distance is the same up to this share. */
  asSentShare: 0.078,
  /** Packets that come so, at less than this share of what the link carries, have met no queue. */
  undisturbedShare: 0.95,
  /** More than this factor of the target is no sight of what the link carries. */
  mostSeen: 1.93,
  /** How far a packet whose codes take more, or less, moves what codes are believed to take. */
  dearerCodesShare: 0.25,
  cheaperCodesShare: 0.03,
  /** Memory of the least delay. */
  baseWindowMs: 10_500,
  /** Queue that may stand in the network, as time, besides what is not acknowledged yet. */
  inFlightMs: 120,
  /** What has waited for longer is dropped, unless the receiver has sound to play for longer; and never later. */
  leastAgeMs: 59,
  mostAgeMs: 1000,
} as const;

/** Packets under way that are remembered. */
export const MAX_TRACKED_PACKETS = 256;
/** Delays that are. */
export const MAX_DELAY_SAMPLES = 100;
