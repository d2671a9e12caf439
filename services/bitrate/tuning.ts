/**
 * What is tuned; `docs/benchmarks/bitrate.md` shows what it gives. Rates count all bytes on the wire. It was tuned on seeds up to
 * 320 of the bench's traces, and on its shared links of seeds 300 to 799 and from 2000 on; the report uses those from 1001 on.
 */
export const TUNING = {
  startBitsPerSecond: 8000,
  /** Share by which the rate grows in a second until the link is full for the first time. */
  startupGrowth: 0.891,
  /** By so much it grows in a second later, and by up to so much more the longer ago the link was full. */
  probingBitsPerSecond: 464,
  hastyBitsPerSecond: 2310,
  hasteMs: 1720,
  /** The growth is more or less by up to this share of itself, otherwise after each back-off. */
  growthSpread: 0.25,
  /** The rate at which these hold: less grows faster and backs off by less, so that two on one link become alike. */
  middleBitsPerSecond: 10_400,
  /** Share of the growth there that is left at the highest rates. */
  leastGrowthShare: 0.598,
  /** Share by which the rate falls there when there is a queue, and its bounds at other rates. */
  backOff: 0.08,
  leastBackOff: 0.0179,
  mostBackOff: 0.609,
  /** Share of the rate that is left when it falls for the first time. */
  firstShare: 0.786,
  /** A queue drains when a packet takes less time than the one before by more than this. */
  fallingMs: 25,
  /** One that a session has found on the link, or made by its opening, is waited for so long at the most. */
  mostFirstDrainMs: 5000,
  /** Beyond what the link was seen to carry by more than this, a smaller share of the queueing has to go. */
  knownBitsPerSecond: 343,
  watchfulShare: 0.752,
  /** The rate does not grow beyond that by more than this share of what can be spared when the queue has to drain. */
  mostAboveShare: 2.74,
  /** But always by so much, which is two codebooks more: what came through may be all that was sent. */
  triedBitsPerSecond: 1230,
  /** Nor by more than this factor beyond the rate from which on the packets would be better. */
  headroom: 1.05,
  /** Queueing that has to go at the middle rate, its bounds at others, and queueing that does not count. */
  overuseMs: 66.9,
  leastOveruseShare: 0.35,
  mostOveruseShare: 2.63,
  clearMs: 55,
  /** A queue that grows is judged by where it will be so much later. */
  aheadSeconds: 0.248,
  /** What is sent while a queue drains falls with the queue, to nothing at so much of it, but not below this share. */
  drainMs: 1090,
  leastDrainShare: 0.121,
  /** While a queue drains, a link that carries less than this share of the target has become slower. */
  fallenShare: 0.898,
  /** So it has if the queue has not drained for so long. */
  mostDrainingMs: 1550,
  /** The rate then falls by this share, at once if the queue still grows and is beyond so much. */
  risingMs: 98.1,
  risingBackOff: 0.176,
  /** How long the rate rests after a back-off. */
  restMs: 158,
  /** A packet that is overdue by so much has met a queue. */
  overdueMs: 145,
  /** A packet that is overdue by so much tells of a stall. */
  starvedMs: 947,
  /** Packets arrive as they were sent when their distance is the same up to this share. */
  asSentShare: 0.0498,
  /** A queue that grows so slowly that they do is seen beyond so much, which is what the longest packet may take on the link. */
  mostUnseenMs: 110,
  /** More than this factor of the target is no sight of what the link carries. */
  mostSeen: 1.77,
  /** How far a packet whose codes take more, or less, moves what codes are believed to take. */
  dearerCodesShare: 0.25,
  cheaperCodesShare: 0.03,
  /** Of the time that a packet would take at what came through: a link that others share carries more than that. */
  transmissionShare: 0.819,
  /** Memory of the least delay. */
  baseWindowMs: 10_000,
  /** Queue that may stand in the network, as time, besides what is not acknowledged yet. */
  inFlightMs: 86.3,
  /** What has waited for longer is dropped, unless the receiver has sound to play for longer; and never later. */
  leastAgeMs: 70,
  mostAgeMs: 1000,
} as const;

/** Packets under way that are remembered. */
export const MAX_TRACKED_PACKETS = 256;
/** Delays that are. */
export const MAX_DELAY_SAMPLES = 100;
