import { PROTOCOL_LIMITS } from '../../protocol/limits.js';
import { changed } from './changed.js';
import { MAX_DELAY_SAMPLES, TUNING } from './tuning.js';
import type { ControlState, DelaySample, Feedback, SentPacket } from './types.js';

/** Packets that one acknowledgement is about. */
interface Arrived {
  readonly first: SentPacket;
  readonly last: SentPacket;
  readonly bytes: number;
  readonly arrivalMs: number;
}

/** What an acknowledgement tells of the link: the same state where it names nothing that is under way. */
export function noteAck(state: ControlState, feedback: Extract<Feedback, { kind: 'ack' }>): ControlState {
  const { nowMs, nextFrameIndex, bufferMs, heldMs = 0, arrivalMs = nowMs } = feedback;
  const packets = state.inFlight.filter(({ endFrameIndex }) => endFrameIndex <= nextFrameIndex);
  const [first] = packets;
  const last = packets.at(-1);
  if (first === undefined || last === undefined) return state;
  const bytes = packets.reduce((total, { wireBytes }) => total + wireBytes, 0);
  const sample: DelaySample = {
    sentMs: last.sentMs,
    delayMs: arrivalMs - last.sentMs,
    roundTripMs: nowMs - heldMs - last.sentMs,
    wireBytes: last.wireBytes,
    atMs: nowMs,
  };
  const delaySamples = [...recent(state.delaySamples, nowMs), sample].slice(-MAX_DELAY_SAMPLES);
  const arrived = { first, last, bytes, arrivalMs };
  const { capacity, isUndisturbed } = seeCapacity(state, arrived, delaySamples);
  const undisturbedMs = isUndisturbed ? nowMs : state.undisturbedMs;
  const leastMs = (fromMs?: number): number => leastDelayMs(delaySamples, 'delayMs', capacity, fromMs);
  // A delay that stays is no queue, but one that became far longer is, however evenly packets come.
  const noQueueMs = Math.min(leastMs(undisturbedMs), leastMs() + TUNING.mostUnseenMs);
  const queueingMs = withoutTransmission(sample.delayMs, sample, capacity) - noQueueMs;
  const gapMs = state.lastArrival ? arrivalMs - state.lastArrival.arrivalMs : 0;
  return changed(state, {
    delaySamples,
    undisturbedMs,
    inFlight: state.inFlight.slice(packets.length),
    lastAckMs: nowMs,
    bufferMs,
    lastArrival: { sentMs: last.sentMs, wireBytes: last.wireBytes, arrivalMs },
    // Not the least ever: who shares a link may always wait for the other's packet, and needs as much more under way.
    leastRoundTripMs: Math.max(0, leastDelayMs(delaySamples, 'roundTripMs', capacity)),
    queueingMs,
    slopeMsPerSecond: gapMs > 0 ? (1000 * (queueingMs - state.queueingMs)) / gapMs : 0,
    capacityBitsPerSecond: capacity,
  });
}

/** Whether packets that were sent from a time on come faster and faster, as they do while a queue drains. Before two came they may. */
export function isQueueFalling({ delaySamples }: ControlState, fromMs: number): boolean {
  const [before, last] = delaySamples.filter(({ sentMs }) => sentMs >= fromMs).slice(-2);
  return before === undefined || last === undefined || last.delayMs < before.delayMs - TUNING.fallingMs;
}

/** By how much the oldest packet under way is late; below 0 while it may still come in time. */
export function overdueMs(
  { inFlight, delaySamples, undisturbedMs, capacityBitsPerSecond, lastAckMs = -Infinity }: ControlState,
  nowMs: number,
): number {
  const [oldest] = inFlight;
  if (oldest === undefined) return -Infinity;
  // It may have come long ago: the receiver does not say so at once.
  const unheardMs = nowMs - lastAckMs - PROTOCOL_LIMITS.ackIntervalMs;
  if (unheardMs <= 0) return unheardMs;
  const least = leastDelayMs(delaySamples, 'roundTripMs', capacityBitsPerSecond, undisturbedMs);
  // Before the first acknowledgement `least` is Infinity: nothing is late.
  const lateMs = withoutTransmission(nowMs - oldest.sentMs, oldest, capacityBitsPerSecond) - least;
  return Math.min(lateMs, unheardMs);
}

/**
 * What the link carries, after some packets more. Packets that follow each other without a pause are as far apart as the
 * link needs for them. But so far apart as they were sent they may be on any link that carries as much.
 */
function seeCapacity(
  { lastArrival, capacityBitsPerSecond, targetBitsPerSecond, undisturbedMs }: ControlState,
  { first, last, bytes, arrivalMs }: Arrived,
  samples: readonly DelaySample[],
): { readonly capacity: number | undefined; readonly isUndisturbed: boolean } {
  const gapMs = lastArrival ? arrivalMs - lastArrival.arrivalMs : 0;
  if (lastArrival === undefined || gapMs <= 0) {
    return { capacity: capacityBitsPerSecond, isUndisturbed: false };
  }
  // What was held back for a packet that was lost comes all at once: no sign of a fast link.
  const rate = Math.min((8000 * bytes) / gapMs, TUNING.mostSeen * targetBitsPerSecond);
  const leastMs = leastDelayMs(samples, 'delayMs', capacityBitsPerSecond, undisturbedMs);
  const isBusy = first.sentMs + leastMs < lastArrival.arrivalMs;
  const known = capacityBitsPerSecond ?? Infinity;
  const sentGapMs =
    last.sentMs - lastArrival.sentMs + (8000 * (last.wireBytes - lastArrival.wireBytes)) / known;
  const isAsSent = Math.abs(gapMs - sentGapMs) < TUNING.asSentShare * gapMs;
  if (isBusy && !isAsSent) return { capacity: rate, isUndisturbed: false };
  if (capacityBitsPerSecond === undefined) return { capacity: undefined, isUndisturbed: false };
  return {
    capacity: Math.max(capacityBitsPerSecond, rate),
    isUndisturbed: isAsSent,
  };
}

/** A delay without the time that the packet itself takes on the link. */
function withoutTransmission(
  delayMs: number,
  { wireBytes }: Pick<SentPacket, 'wireBytes'>,
  bitsPerSecond: number | undefined = Infinity,
): number {
  return delayMs - (TUNING.transmissionShare * 8000 * wireBytes) / bitsPerSecond;
}

/** The delay of a packet of no bytes that meets no queue, seen from a time on; one way, with the clocks' offset, or there and back. */
function leastDelayMs(
  samples: readonly DelaySample[],
  way: 'delayMs' | 'roundTripMs',
  bitsPerSecond: number | undefined,
  fromMs = -Infinity,
): number {
  let least = Infinity;
  for (const sample of samples) {
    if (sample.atMs >= fromMs)
      least = Math.min(least, withoutTransmission(sample[way], sample, bitsPerSecond));
  }
  return least;
}

/** Those within the window; the oldest come first. */
function recent(samples: readonly DelaySample[], nowMs: number): readonly DelaySample[] {
  const first = samples.findIndex(({ atMs }) => nowMs - atMs <= TUNING.baseWindowMs);
  return first < 0 ? [] : samples.slice(first);
}
