import { PROTOCOL_LIMITS } from '../../protocol/limits.js';
import { changed } from './changed.js';
import { CONTROL_TRANSITIONS } from './controlStates.js';
import { isQueueFalling, noteAck, overdueMs } from './linkEstimate.js';
import { choosePacketShape, rateBounds } from './packetShapes.js';
import { MAX_TRACKED_PACKETS, TUNING } from './tuning.js';
import type { ControlEvent, ControlSettings, ControlState, Decision, Feedback, SentPacket } from './types.js';
import { wireBitsPerSecond } from './wireCost.js';

/** A state and what was decided in it. */
export interface ControlStep {
  readonly state: ControlState;
  readonly decision: Decision;
}

/** A controller that was told nothing yet. */
export function startControl(settings: ControlSettings, nowMs: number): ControlState {
  const { least, most } = rateBounds(settings);
  return {
    name: 'startup',
    sinceMs: nowMs,
    targetBitsPerSecond: Math.min(most, Math.max(least, TUNING.startBitsPerSecond)),
    bitsPerCode: settings.bitsPerCode,
    capacityBitsPerSecond: undefined,
    inFlight: [],
    delaySamples: [],
    undisturbedMs: undefined,
    leastRoundTripMs: undefined,
    lastArrival: undefined,
    lastAckMs: undefined,
    lastTickMs: undefined,
    lastBackOffMs: undefined,
    queueingMs: 0,
    slopeMsPerSecond: 0,
    bufferMs: 0,
  };
}

/** The state after a packet was given to the network. Nothing is decided by it: what was decided before holds on. */
export function noteSent(state: ControlState, sent: Extract<Feedback, { kind: 'sent' }>): ControlState {
  const { endFrameIndex, wireBytes, nowMs: sentMs, codes } = sent;
  const packet: SentPacket = { endFrameIndex, wireBytes, sentMs };
  const inFlight = [...state.inFlight, packet].slice(-MAX_TRACKED_PACKETS);
  const bitsPerCode = codes ? nextBitsPerCode(state.bitsPerCode, codes) : state.bitsPerCode;
  return changed(state, { inFlight, bitsPerCode });
}

/**
 * The next state of a controller and what it decides. Pure: the same state, feedback and settings give the same.
 *
 * Additive increase and multiplicative decrease (Chiu and Jain, 1989) of a rate, led by queueing delay as in LEDBAT
 * (RFC 6817) and SCReAM (RFC 8298), with less delay at higher rates made fair by the back-off; the increase quickens with
 * the time since the link was full, as in CUBIC (RFC 9438). Bytes under way are bounded as in SCReAM.
 */
export function stepControl(
  state: ControlState,
  feedback: Exclude<Feedback, { kind: 'sent' }>,
  nominal: ControlSettings,
): ControlStep {
  const settings = { ...nominal, bitsPerCode: state.bitsPerCode };
  switch (feedback.kind) {
    case 'ack': {
      const seen = noteAck(state, feedback);
      if (seen === state) return decide(state, undefined, settings);
      const event = classify(seen);
      return decide(enter(seen, event, feedback.nowMs, settings), event, settings);
    }
    case 'tick': {
      const grown = grow(state, feedback.nowMs, settings);
      const lateMs = overdueMs(grown, feedback.nowMs);
      const isOverdue = lateMs > TUNING.overdueMs && lateMs > grown.queueingMs;
      const late = isOverdue ? changed(grown, { queueingMs: lateMs }) : grown;
      const event = tickEvent(late, lateMs, feedback, settings);
      return decide(event ? enter(late, event, feedback.nowMs, settings) : late, event, settings);
    }
  }
}

/** Quick to see that codes take more, slow to believe that they take less: pauses end. */
function nextBitsPerCode(known: number, { bytes, asked }: { bytes: number; asked: number }): number {
  const seen = (8 * bytes) / asked;
  return known + (seen - known) * (seen > known ? TUNING.dearerCodesShare : TUNING.cheaperCodesShare);
}

function classify({
  queueingMs,
  slopeMsPerSecond,
  targetBitsPerSecond: target,
  capacityBitsPerSecond: capacity = Infinity,
}: ControlState): ControlEvent {
  // Of two on one link the larger is the first to see the queue that both have made.
  const share = Math.sqrt(TUNING.middleBitsPerSecond / target);
  // Far above what the link was seen to carry, a queue grows fast: half of it is enough to see.
  const watchful = target > capacity + TUNING.knownBitsPerSecond ? TUNING.watchfulShare : 1;
  const overuseMs =
    watchful *
    TUNING.overuseMs *
    Math.min(TUNING.mostOveruseShare, Math.max(TUNING.leastOveruseShare, share));
  // What grows is judged by where it will be when less is felt.
  const soonMs = queueingMs + TUNING.aheadSeconds * Math.max(0, slopeMsPerSecond);
  if (queueingMs > 0 && soonMs >= overuseMs) return 'overuse';
  return queueingMs <= TUNING.clearMs ? 'clear' : 'level';
}

function tickEvent(
  state: ControlState,
  lateMs: number,
  { nowMs, bufferedBytes }: Extract<Feedback, { kind: 'tick' }>,
  settings: ControlSettings,
): ControlEvent | undefined {
  const most = maxInFlightBytes(state, settings.maxFramesPerPacket, settings);
  if (lateMs > TUNING.starvedMs || bufferedBytes > most) return 'starved';
  if (lateMs > TUNING.overdueMs && state.name !== 'stalled') return 'overuse';
  const hasRested =
    state.name === 'draining' ? !drainsStill(state, nowMs) : nowMs - state.sinceMs >= TUNING.restMs;
  return hasRested ? 'rested' : undefined;
}

/** Whether a queue that the session has found, or made by its own opening, may still be draining since the state was entered. */
function drainsStill(state: ControlState, nowMs: number): boolean {
  return nowMs - state.sinceMs < TUNING.mostFirstDrainMs && isQueueFalling(state, state.sinceMs);
}

/** Raises the target by the time that has passed. */
function grow(state: ControlState, nowMs: number, settings: ControlSettings): ControlState {
  return changed(state, {
    lastTickMs: nowMs,
    targetBitsPerSecond: grownBitsPerSecond(state, nowMs, settings),
  });
}

function grownBitsPerSecond(state: ControlState, nowMs: number, settings: ControlSettings): number {
  const {
    name,
    targetBitsPerSecond: target,
    capacityBitsPerSecond: capacity = Infinity,
    lastBackOffMs,
    lastTickMs = Infinity,
  } = state;
  const seconds = Math.max(0, nowMs - lastTickMs) / 1000;
  if (name === 'startup') {
    // While one queue drains, another that grows does not show.
    return drainsStill(state, nowMs) ? target : target * (1 + TUNING.startupGrowth * seconds);
  }
  if (name !== 'probing') return target;
  // Near what was too much lately it grows slowly, later ever faster.
  const haste = Math.min(1, (nowMs - (lastBackOffMs ?? -Infinity)) / TUNING.hasteMs) ** 2;
  const perSecond = TUNING.probingBitsPerSecond + haste * TUNING.hastyBitsPerSecond;
  const share = Math.max(TUNING.leastGrowthShare, (TUNING.middleBitsPerSecond / target) ** 2);
  // Two on one link that fall and rise in step would stay so: phase effects (Floyd and Jacobson, 1992).
  const spread = 1 + TUNING.growthSpread * (2 * scattered(lastBackOffMs ?? 0) - 1);
  const grown = target + spread * share * perSecond * seconds;
  // The queue that more than the link carries makes has to drain again, and no less than the smallest packets can go.
  const spare = capacity - rateBounds(settings).least;
  const bound = capacity + Math.max(TUNING.triedBitsPerSecond, TUNING.mostAboveShare * spare);
  return Math.max(target, Math.min(grown, bound));
}

/** From 0 to 1, the same for the same time, and far off for the next. Multiplicative hashing (Knuth, 1973). */
function scattered(ms: number): number {
  return (Math.imul(Math.round(ms), 0x9e3779b1) >>> 0) / 2 ** 32;
}

/** Follows the table, and backs off where it says so. */
function enter(
  state: ControlState,
  event: ControlEvent,
  nowMs: number,
  settings: ControlSettings,
): ControlState {
  const name = CONTROL_TRANSITIONS[state.name][event];
  const next = name === state.name ? state : changed(state, { name, sinceMs: nowMs });
  const hasStalled = event === 'starved' && state.name !== 'stalled';
  // Once in a round trip: what was sent before the last back-off still arrives.
  const isNews = nowMs - (state.lastBackOffMs ?? -Infinity) >= (state.leastRoundTripMs ?? 0);
  if (!hasStalled && !(event === 'overuse' && isNews)) return next;
  const isStuck = state.name === 'backing_off' && nowMs - state.sinceMs >= TUNING.mostDrainingMs;
  const lowered = Math.max(rateBounds(settings).least, backedOff(state, isStuck));
  const backed = { lastBackOffMs: nowMs, targetBitsPerSecond: lowered };
  return changed(next, isStuck ? { ...backed, sinceMs: nowMs } : backed);
}

function backedOff(
  {
    name,
    targetBitsPerSecond: target,
    capacityBitsPerSecond: capacity = Infinity,
    queueingMs,
    slopeMsPerSecond,
  }: ControlState,
  isStuck: boolean,
): number {
  if (name !== 'startup' && name !== 'probing') {
    // The queue is still the one that the rate fell for: only a link that has become slower is a reason to go lower. How
    // much comes through while others share the link follows from how little is sent, so it says that, but not how far.
    const isSlower =
      isStuck ||
      (capacity < TUNING.fallenShare * target && queueingMs >= TUNING.risingMs && slopeMsPerSecond > 0);
    return isSlower ? (1 - TUNING.risingBackOff) * target : target;
  }
  const carried = Math.min(capacity, target);
  if (name === 'startup') return TUNING.firstShare * carried;
  const share = TUNING.backOff * (carried / TUNING.middleBitsPerSecond) ** 2;
  return (1 - Math.min(TUNING.mostBackOff, Math.max(TUNING.leastBackOff, share))) * carried;
}

/** What is sent: the target, or less while a queue drains. */
function sendingBitsPerSecond({ name, targetBitsPerSecond, queueingMs }: ControlState): number {
  if (name === 'stalled' || name === 'draining') return 0;
  if (name !== 'backing_off') return targetBitsPerSecond;
  return targetBitsPerSecond * Math.max(TUNING.leastDrainShare, 1 - queueingMs / TUNING.drainMs);
}

/** Who never acknowledges anything gets everything: there is nothing to judge by. */
function maxInFlightBytes(
  { leastRoundTripMs, targetBitsPerSecond }: ControlState,
  framesPerPacket: number,
  { frameMs }: ControlSettings,
): number {
  if (leastRoundTripMs === undefined) return Number.MAX_SAFE_INTEGER;
  // At the target a packet takes as long as its sound.
  const transmissionMs = framesPerPacket * frameMs;
  const windowMs = leastRoundTripMs + transmissionMs + PROTOCOL_LIMITS.ackIntervalMs + TUNING.inFlightMs;
  return Math.floor((targetBitsPerSecond * windowMs) / 8000);
}

function decide(
  state: ControlState,
  event: ControlEvent | undefined,
  settings: ControlSettings,
): ControlStep {
  const frameIndex = state.inFlight.at(-1)?.endFrameIndex ?? 0;
  const sending = sendingBitsPerSecond(state);
  const atTarget = choosePacketShape(state.targetBitsPerSecond, settings, frameIndex);
  const { shape } =
    sending === state.targetBitsPerSecond ? atTarget : choosePacketShape(sending, settings, frameIndex);
  // What is not tried cannot be known to fit: the target waits where other packets become possible.
  const { nextBitsPerSecond } = atTarget;
  const targetBitsPerSecond = Math.min(
    state.targetBitsPerSecond,
    rateBounds(settings).most,
    Math.max(wireBitsPerSecond(shape, settings, frameIndex), nextBitsPerSecond) * TUNING.headroom,
  );
  const next =
    targetBitsPerSecond === state.targetBitsPerSecond ? state : changed(state, { targetBitsPerSecond });
  return {
    state: next,
    decision: {
      // Spread, these two would take longer than all the rest of a step.
      quantizers: shape.quantizers,
      framesPerPacket: shape.framesPerPacket,
      maxInFlightBytes: maxInFlightBytes(next, shape.framesPerPacket, settings),
      maxAgeMs: Math.min(TUNING.mostAgeMs, TUNING.leastAgeMs + state.bufferMs),
      reasons: {
        state: state.name,
        event,
        targetBitsPerSecond,
        capacityBitsPerSecond: state.capacityBitsPerSecond,
        queueingMs: state.queueingMs,
      },
    },
  };
}
