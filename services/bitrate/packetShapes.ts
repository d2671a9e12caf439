import type { ControlSettings, PacketShape } from './types.js';
import { wireBitsPerSecond } from './wireCost.js';

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
 * longer packets, which spare headers, cost their delay. Where nothing fits, the cheapest there are.
 */
export function choosePacketShape(
  bitsPerSecond: number,
  settings: ControlSettings,
  frameIndex: number,
): ChosenShape {
  const { minQuantizers, maxQuantizers, maxFramesPerPacket, frameMs } = settings;
  let shape: PacketShape = { quantizers: minQuantizers, framesPerPacket: maxFramesPerPacket };
  let best = worthOf(shape, frameMs);
  const dearer: { readonly worth: number; readonly rate: number }[] = [];
  for (let framesPerPacket = 1; framesPerPacket <= maxFramesPerPacket; framesPerPacket += 1) {
    for (let quantizers = minQuantizers; quantizers <= maxQuantizers; quantizers += 1) {
      const candidate = { quantizers, framesPerPacket };
      const worth = worthOf(candidate, frameMs);
      if (worth <= best) continue;
      const rate = wireBitsPerSecond(candidate, settings, frameIndex);
      if (rate <= bitsPerSecond) [shape, best] = [candidate, worth];
      else dearer.push({ worth, rate });
    }
  }
  const next = dearer.filter(({ worth }) => worth > best).map(({ rate }) => rate);
  return { shape, nextBitsPerSecond: Math.min(Infinity, ...next) };
}

function worthOf({ quantizers, framesPerPacket }: PacketShape, frameMs: number): number {
  return Math.log2(quantizers) - (framesPerPacket * frameMs) / GATHERING_MS_PER_HALVING;
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
