import { seededRandom } from '../random.js';

/** What a link carries over time, in bits a second on the wire, one value for each {@link TRACE_STEP_MS}. */
export interface LinkTrace {
  readonly name: string;
  readonly bitsPerSecond: Float64Array;
  /** Share of packets that are lost and sent again by TCP. */
  readonly lossShare: number;
}

/** Time of one value of a trace. */
export const TRACE_STEP_MS = 20;

/** How long a trace lasts. */
export function traceDurationMs({ bitsPerSecond }: LinkTrace): number {
  return bitsPerSecond.length * TRACE_STEP_MS;
}

/** A capacity that falls in one step after a third of the time, and is back after another. */
export function stepTrace(highBitsPerSecond: number, lowBitsPerSecond: number, seconds: number): LinkTrace {
  return trace('step', seconds, (time) =>
    Math.floor((3 * time) / seconds) === 1 ? lowBitsPerSecond : highBitsPerSecond,
  );
}

/** Down and up again in straight lines. */
export function rampTrace(highBitsPerSecond: number, lowBitsPerSecond: number, seconds: number): LinkTrace {
  return trace('ramps', seconds, (time) => {
    const phase = Math.abs((((time / seconds) * 4) % 2) - 1);
    return lowBitsPerSecond + phase * (highBitsPerSecond - lowBitsPerSecond);
  });
}

/** A steady link that loses packets at random. */
export function lossTrace(bitsPerSecond: number, lossShare: number, seconds: number): LinkTrace {
  return { ...trace('loss', seconds, () => bitsPerSecond), name: 'loss', lossShare };
}

/**
 * In the manner of GPRS: the coding scheme of the moment gives one of four rates for some seconds each, and now and
 * then a change of cell stops everything for 0.4 to 1.5 s.
 */
export function secondGenerationTrace(seed: number, seconds: number): LinkTrace {
  const random = seededRandom(seed);
  const rates = [6000, 8500, 11_500, 15_000];
  let level = 2;
  let changesAt = 0;
  const isOut = outages(random, 25, 0.4, 1.5);
  return trace('2G-like', seconds, (time) => {
    if (time >= changesAt) {
      level = Math.min(rates.length - 1, Math.max(0, level + (random() < 0.5 ? -1 : 1)));
      changesAt = time + 1.5 - 3.5 * Math.log(1 - random());
    }
    return isOut(time) ? 0 : (rates[level] ?? 0);
  });
}

/**
 * In the manner of a share of a busy LTE cell: a rate whose logarithm wanders (first-order autoregression, 2 s of memory,
 * deviation 0.45) around 16 kbit/s, and handovers that stop everything for 0.2 to 1 s.
 */
export function lteTrace(seed: number, seconds: number): LinkTrace {
  const random = seededRandom(seed);
  const memory = Math.exp(-TRACE_STEP_MS / 2000);
  let wander = 0;
  const isOut = outages(random, 20, 0.2, 1);
  return trace('LTE-like', seconds, (time) => {
    wander = memory * wander + 0.45 * Math.sqrt(1 - memory ** 2) * normal(random);
    return isOut(time) ? 0 : 16_000 * Math.exp(wander);
  });
}

/** Times without any rate: one in `meanSeconds` on average, of a duration between the two bounds. */
function outages(
  random: () => number,
  meanSeconds: number,
  leastSeconds: number,
  mostSeconds: number,
): (time: number) => boolean {
  let start = -meanSeconds * Math.log(1 - random());
  let end = start + leastSeconds + random() * (mostSeconds - leastSeconds);
  return (time) => {
    if (time >= end) {
      start = end - meanSeconds * Math.log(1 - random());
      end = start + leastSeconds + random() * (mostSeconds - leastSeconds);
    }
    return time >= start && time < end;
  };
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function trace(name: string, seconds: number, rateAt: (time: number) => number): LinkTrace {
  const steps = Math.round((1000 * seconds) / TRACE_STEP_MS);
  const bitsPerSecond = Float64Array.from({ length: steps }, (_, step) =>
    rateAt((step * TRACE_STEP_MS) / 1000),
  );
  return { name, bitsPerSecond, lossShare: 0 };
}
