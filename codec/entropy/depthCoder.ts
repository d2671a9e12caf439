import { PROBABILITY_BITS } from './rangeCoder.js';

const EVEN = 2 ** (PROBABILITY_BITS - 1);
/** How fast probabilities follow what comes. */
const LEARNING_SHIFT = 5;

/** What a turn depends on: whether the frame before has one codebook, as many as any of the packet, or between. */
const FLOOR = 0;
const TOP = 1;
const BETWEEN = 2;

/** Contexts of turns, and how often each is a 1 at first, in 64ths: as counted on speech with adaptive depth. */
const SAME = 0;
const UP = 3;
const TO_TOP = 4;
const TO_FLOOR = 7;
const MORE_UP = 10;
const MORE_DOWN = 11;
const FIRST_PROBABILITIES = [54, 52, 12, 28, 46, 32, 27, 32, 8, 9, 36, 40];

/** Writes a bit and returns it, or reads one, at this probability of a 1. */
export type BitCoder = (bit: number, probability: number) => number;

/** As {@link BitCoder}, at the probability of a context, which learns. */
type Turn = (context: number, bit: boolean) => boolean;

/**
 * Codes how many codebooks each frame of a packet has, or fills it in: first the most of any, then for each frame whether it is as
 * many as before, else up or down, to the end or by how much. Probabilities are learned within the packet.
 * @returns false when what was read is no such list.
 */
export function codeDepths(depths: Uint8Array, maxDepth: number, coder: BitCoder): boolean {
  const probabilities = FIRST_PROBABILITIES.map((share) => share << (PROBABILITY_BITS - 6));
  const turn: Turn = (context, bit) => {
    const probability = probabilities[context] ?? EVEN;
    const isOne = coder(bit ? 1 : 0, probability) === 1;
    const change = isOne ? 2 ** PROBABILITY_BITS - probability : -probability;
    // Towards zero, so that no probability ever gets there.
    probabilities[context] = probability + Math.trunc(change / 2 ** LEARNING_SHIFT);
    return isOne;
  };
  const greatest = depths.reduce((most, depth) => Math.max(most, depth), 0);
  let top = 0;
  for (let bit = 31 - Math.clz32(maxDepth); bit >= 0; bit -= 1) {
    top = 2 * top + coder((greatest >> bit) & 1, EVEN);
  }
  if (top < 2 || top > maxDepth) return false;
  let last = top;
  for (let frame = 0; frame < depths.length; frame += 1) {
    last = codeDepth(depths[frame] ?? 0, last, top, turn);
    depths[frame] = last;
  }
  return true;
}

/** @returns the depth, as it was given or as it was read. */
function codeDepth(depth: number, last: number, top: number, turn: Turn): number {
  const place = last === 1 ? FLOOR : last === top ? TOP : BETWEEN;
  if (turn(SAME + place, depth === last)) return last;
  const isUp = place === BETWEEN ? turn(UP, depth > last) : place === FLOOR;
  const [end, step] = isUp ? [top, 1] : [1, -1];
  let next = last + step;
  if (next === end || turn((isUp ? TO_TOP : TO_FLOOR) + place, depth === end)) return end;
  while (next + step !== end && turn(isUp ? MORE_UP : MORE_DOWN, depth !== next)) next += step;
  return next;
}
