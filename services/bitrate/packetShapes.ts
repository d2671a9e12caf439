import type { ControlSettings, PacketShape } from './types.js';
import { quantizersWithin, ROUNDING, wireBitsPerSecond } from './wireCost.js';

/** Packets that gather sound for so long are worth one halving of the codebooks less than packets of one frame. */
const GATHERING_MS_PER_HALVING = 400;

/** Packets, and the rate from which on others are better. */
export interface ChosenShape {
  readonly shape: PacketShape;
  /** Infinity where these are the best of all. */
  readonly nextBitsPerSecond: number;
}

/**
 * The best packets whose rate on the wire is within `bitsPerSecond`: more codebooks are worth their logarithm, and
 * longer packets, which spare headers, cost their delay. Where nothing fits, the cheapest there are. Their frames divide
 * the most allowed: other packets then end when these would, and acknowledgements still come in time for them.
 */
export function choosePacketShape(
  bitsPerSecond: number,
  settings: ControlSettings,
  frameIndex: number,
): ChosenShape {
  const { minQuantizers, maxQuantizers, maxFramesPerPacket, frameMs } = settings;
  // Two to the power of the worth: what is compared often has no logarithms.
  const worthOfFrame = 2 ** (-frameMs / GATHERING_MS_PER_HALVING);
  let shape: PacketShape = { quantizers: minQuantizers, framesPerPacket: maxFramesPerPacket };
  let best = minQuantizers * worthOfFrame ** maxFramesPerPacket;
  let framesWorth = 1;
  for (let framesPerPacket = 1; framesPerPacket <= maxFramesPerPacket; framesPerPacket += 1) {
    framesWorth *= worthOfFrame;
    if (maxFramesPerPacket % framesPerPacket !== 0) continue;
    const fitting = quantizersWithin(bitsPerSecond, framesPerPacket, settings, frameIndex);
    const quantizers = Math.min(maxQuantizers, fitting);
    if (quantizers < minQuantizers || quantizers * framesWorth <= best) continue;
    shape = { quantizers, framesPerPacket };
    best = quantizers * framesWorth;
  }
  let nextBitsPerSecond = Infinity;
  framesWorth = 1;
  for (let framesPerPacket = 1; framesPerPacket <= maxFramesPerPacket; framesPerPacket += 1) {
    framesWorth *= worthOfFrame;
    if (maxFramesPerPacket % framesPerPacket !== 0) continue;
    // The fewest codebooks that make packets of so many frames better.
    const quantizers = Math.max(minQuantizers, Math.floor(best / framesWorth + ROUNDING) + 1);
    if (quantizers > maxQuantizers) continue;
    const rate = wireBitsPerSecond({ quantizers, framesPerPacket }, settings, frameIndex);
    nextBitsPerSecond = Math.min(nextBitsPerSecond, rate);
  }
  return { shape, nextBitsPerSecond };
}

/** The least and the most that the session's packets can take on the wire, in bits a second. */
export function rateBounds(settings: ControlSettings): { readonly least: number; readonly most: number } {
  const { minQuantizers, maxQuantizers, maxFramesPerPacket } = settings;
  return {
    least: wireBitsPerSecond(
      { quantizers: minQuantizers, framesPerPacket: maxFramesPerPacket },
      settings,
      RATE_BOUNDS_FRAME_INDEX,
    ),
    most: wireBitsPerSecond(
      { quantizers: maxQuantizers, framesPerPacket: 1 },
      settings,
      RATE_BOUNDS_FRAME_INDEX,
    ),
  };
}

/** An index of three bytes: later than 5 minutes. */
const RATE_BOUNDS_FRAME_INDEX = 20_000;
