import type { ControlSettings } from '../../../services/bitrate/index.js';
import { percentile } from '../machine.js';
import { figuresOf } from './figures.js';
import { AdaptiveSender, type PacketRecord } from './senders.js';
import { simulate } from './simulation.js';
import { seededRandom } from '../random.js';
import { lossTrace, type LinkTrace } from './traces.js';

/** Two sessions on one bottleneck. */
export interface SharedLink {
  readonly seed: number;
  readonly bitsPerSecond: number;
  readonly lossShare: number;
  /** Of the larger to the smaller of the two. */
  readonly rateRatio: number;
  readonly quantizersRatio: number;
  /** Of both: what they sent of what the link carries. */
  readonly usedShare: number;
}

/** Over many links. */
export interface FairnessFigures {
  readonly links: readonly SharedLink[];
  readonly unfair: number;
  readonly medianRatio: number;
  readonly ratio95: number;
  readonly worstRatio: number;
  readonly usedShare: number;
}

const TOGETHER_SECONDS = 60;
/** After so long they should be alike. */
const SETTLING_MS = 10_000;
const FAIR_RATIO = 1.2;
/** The second session begins within so many seconds. */
const MOST_APART_SECONDS = 5;
/** From two sessions at the least to two sessions at the most codebooks. */
const BITS_PER_SECOND = { least: 12_000, most: 40_000 };
const LOSS_SHARE = 0.01;
/** What a server sends to open a session: TCP's and WebSocket's handshakes, `opened`, and what TCP repeats behind a queue. */
export const OPENING_BYTES = 2000;

/** A bottleneck, and when the second of two sessions begins on it. */
export interface SharedLinkDraw {
  readonly seed: number;
  readonly bitsPerSecond: number;
  readonly lossShare: number;
  readonly secondStartMs: number;
}

/** The link of a seed; a third of them lose 1%. */
export function drawSharedLink(seed: number): SharedLinkDraw {
  const random = seededRandom(seed);
  const { least, most } = BITS_PER_SECOND;
  return {
    seed,
    bitsPerSecond: Math.round(least + random() * (most - least)),
    lossShare: random() < 1 / 3 ? LOSS_SHARE : 0,
    secondStartMs: 1000 * MOST_APART_SECONDS * random(),
  };
}

/** What it carries until both have been on it for long enough. */
export function sharedTrace({ bitsPerSecond, lossShare, secondStartMs }: SharedLinkDraw): LinkTrace {
  return lossTrace(bitsPerSecond, lossShare, (secondStartMs + SETTLING_MS) / 1000 + TOGETHER_SECONDS);
}

/** Two of the service's rate controls on one link, the second up to 5 s after the first. */
export function shareLink(settings: ControlSettings, seed: number): SharedLink {
  const draw = drawSharedLink(seed);
  const senders = simulate(sharedTrace(draw), seed, (link) => [
    new AdaptiveSender(link, settings),
    new AdaptiveSender(link, settings, {
      startMs: draw.secondStartMs,
      connection: 1,
      openingBytes: OPENING_BYTES,
    }),
  ]);
  return judgeShare(
    draw,
    senders.map(({ records }) => records),
    settings.frameMs,
  );
}

/** What became of the packets of the two, from when they should be alike. @throws RangeError for fewer than two. */
export function judgeShare(
  { seed, bitsPerSecond, lossShare, secondStartMs }: SharedLinkDraw,
  records: readonly (readonly PacketRecord[])[],
  frameMs: number,
): SharedLink {
  const [one, other] = records.map((each) =>
    figuresOf(
      each.filter(({ madeMs }) => madeMs >= secondStartMs + SETTLING_MS),
      frameMs,
    ),
  );
  if (one === undefined || other === undefined) throw new RangeError('A link is shared by two');
  return {
    seed,
    bitsPerSecond,
    lossShare,
    rateRatio: ratio(one.wireBitsPerSecond, other.wireBitsPerSecond),
    quantizersRatio: ratio(one.meanQuantizers, other.meanQuantizers),
    usedShare: (one.wireBitsPerSecond + other.wireBitsPerSecond) / bitsPerSecond,
  };
}

/** What many links make together. */
export function summarizeFairness(links: readonly SharedLink[]): FairnessFigures {
  const ratios = links.map(({ rateRatio }) => rateRatio);
  return {
    links,
    unfair: ratios.filter((each) => each > FAIR_RATIO).length,
    medianRatio: percentile(ratios, 0.5),
    ratio95: percentile(ratios, 0.95),
    worstRatio: Math.max(...ratios),
    usedShare: links.reduce((total, { usedShare }) => total + usedShare, 0) / links.length,
  };
}

function ratio(one: number, other: number): number {
  return Math.max(one / other, other / one);
}
