import { CONTROL_TRANSITIONS } from './controlStates.js';
import { choosePacketShape, rateBounds } from './packetShapes.js';
import type { ControlEvent, ControlSettings, ControlState, Decision, Feedback, SentPacket } from './types.js';
import { wireBitsPerSecond } from './wireCost.js';

/** What is tuned; `docs/benchmarks/bitrate.md` shows what it gives. Rates are bits a second on the wire. */
const TUNING = {
  startBitsPerSecond: 8000,
  /** Share by which the rate grows in a second, until the link is full for the first time and later. */
  startupGrowth: 0.8,
  probingGrowth: 0.3,
  probingFullGrowthMs: 4000,
  /** And so much in a second besides, the same for all: that makes two on one link alike. */
  probingBitsPerSecond: 300,
  /** Queueing that has to go, and queueing that does not count. */
  overuseMs: 70,
  clearMs: 25,
  /** Share of what the link carries that is aimed at after overuse, and the time in which the queue should drain. */
  backOff: 0.92,
  drainMs: 800,
  leastDrainShare: 0.4,
  /** How long the rate rests after a back-off. */
  restMs: 400,
  /** A packet that is overdue by so much has met a queue. */
  overdueMs: 120,
  /** A packet that is overdue by so much tells of a stall. */
  starvedMs: 350,
  /** Memory of the least delay: two windows of so long. */
  baseWindowMs: 10_000,
  /** Queue that may stand in the network, as time. */
  inFlightMs: 250,
  /** Sound older than that is dropped, unless the receiver has as much to play. */
  leastAgeMs: 250,
  mostAgeMs: 1000,
  /** The target stays within so much of what is sent. */
  headroom: 1.05,
} as const;

/** Packets under way that are remembered. */
const MAX_TRACKED_PACKETS = 256;

/** A controller that was told nothing yet. */
export function startControl(settings: ControlSettings, nowMs: number): ControlState {
  const { least, most } = rateBounds(settings);
  const targetBitsPerSecond = Math.min(most, Math.max(least, TUNING.startBitsPerSecond));
  return {
    name: 'startup',
    sinceMs: nowMs,
    targetBitsPerSecond,
    capacityBitsPerSecond: undefined,
    inFlight: [],
    baseDelaysMs: [],
    baseWindowSinceMs: nowMs,
    minRoundTripMs: undefined,
    lastArrivalMs: undefined,
    lastAckMs: undefined,
    lastTickMs: undefined,
    lastBackOffMs: -Infinity,
    queueingMs: 0,
    slopeMsPerSecond: 0,
    bufferMs: 0,
    shape: choosePacketShape(targetBitsPerSecond, settings, 0).shape,
  };
}

/**
 * The next state of a controller and what it decides. Pure: the same state, feedback and settings give the same.
 *
 * Rate: additive increase and multiplicative decrease of what the link was seen to carry (Chiu and Jain, 1989), led by
 * queueing delay as in LEDBAT (RFC 6817) and SCReAM (RFC 8298). A packet that was sent before the one ahead of it had
 * arrived has waited for it; then the bytes between two arrivals tell what the link carries.
 */
export function stepControl(
  state: ControlState,
  feedback: Feedback,
  settings: ControlSettings,
): { readonly state: ControlState; readonly decision: Decision } {
  switch (feedback.kind) {
    case 'sent':
      return decide(noteSent(state, feedback), undefined, settings);
    case 'ack': {
      const seen = noteAck(state, feedback);
      const event = seen === state ? undefined : classify(seen);
      return decide(event ? enter(seen, event, feedback.nowMs, settings) : seen, event, settings);
    }
    case 'tick':
      return tick(state, feedback, settings);
  }
}

function noteSent(state: ControlState, { endFrameIndex, wireBytes, nowMs }: SentFeedback): ControlState {
  const packet: SentPacket = { endFrameIndex, wireBytes, sentMs: nowMs };
  return { ...state, inFlight: [...state.inFlight, packet].slice(-MAX_TRACKED_PACKETS) };
}
type SentFeedback = Extract<Feedback, { kind: 'sent' }>;

function noteAck(state: ControlState, feedback: Extract<Feedback, { kind: 'ack' }>): ControlState {
  const { nowMs, nextFrameIndex, bufferMs, arrivalMs = nowMs } = feedback;
  const arrived = state.inFlight.filter(({ endFrameIndex }) => endFrameIndex <= nextFrameIndex);
  const [first] = arrived;
  const last = arrived.at(-1);
  if (first === undefined || last === undefined) return state;
  const inFlight = state.inFlight.slice(arrived.length);
  const delayMs = arrivalMs - last.sentMs;
  const base = noteBaseDelay(state, delayMs, nowMs);
  const baseMs = Math.min(...base.baseDelaysMs);
  const { lastArrivalMs } = state;
  const waitMs = lastArrivalMs === undefined ? 0 : Math.max(0, lastArrivalMs - (first.sentMs + baseMs));
  // Several packets in one acknowledgement hide what each has waited: then the last one's delay stands for it.
  const queueingMs = arrived.length === 1 ? waitMs : Math.max(waitMs, delayMs - baseMs);
  const gapMs = lastArrivalMs === undefined ? 0 : arrivalMs - lastArrivalMs;
  const bytes = arrived.reduce((total, { wireBytes }) => total + wireBytes, 0);
  const carried = waitMs > 0 && gapMs > 0 ? (8000 * bytes) / gapMs : undefined;
  return {
    ...state,
    ...base,
    inFlight,
    bufferMs,
    lastArrivalMs: arrivalMs,
    lastAckMs: nowMs,
    minRoundTripMs: Math.min(state.minRoundTripMs ?? Infinity, nowMs - last.sentMs),
    queueingMs,
    slopeMsPerSecond: gapMs > 0 ? (1000 * (queueingMs - state.queueingMs)) / gapMs : 0,
    capacityBitsPerSecond: carried ?? state.capacityBitsPerSecond,
  };
}

function noteBaseDelay(
  { baseDelaysMs, baseWindowSinceMs }: ControlState,
  delayMs: number,
  nowMs: number,
): Pick<ControlState, 'baseDelaysMs' | 'baseWindowSinceMs'> {
  const [current = Infinity, previous] = baseDelaysMs;
  if (nowMs - baseWindowSinceMs >= TUNING.baseWindowMs) {
    return { baseDelaysMs: [delayMs, current], baseWindowSinceMs: nowMs };
  }
  const next = Math.min(current, delayMs);
  return { baseDelaysMs: previous === undefined ? [next] : [next, previous], baseWindowSinceMs };
}

function classify({ queueingMs, slopeMsPerSecond }: ControlState): ControlEvent {
  // What grows fast is judged by where it will be soon.
  const soonMs = queueingMs + 0.1 * Math.max(0, slopeMsPerSecond);
  if (queueingMs > 0 && soonMs >= TUNING.overuseMs) return 'overuse';
  return queueingMs <= TUNING.clearMs ? 'clear' : 'level';
}

function tick(
  state: ControlState,
  { nowMs, bufferedBytes }: Extract<Feedback, { kind: 'tick' }>,
  settings: ControlSettings,
): { readonly state: ControlState; readonly decision: Decision } {
  const elapsedMs = state.lastTickMs === undefined ? 0 : Math.max(0, nowMs - state.lastTickMs);
  let next: ControlState = { ...state, lastTickMs: nowMs };
  const grown = growthOf(next, elapsedMs);
  if (grown > 0) next = { ...next, targetBitsPerSecond: next.targetBitsPerSecond + grown };
  const [oldest] = next.inFlight;
  const patienceMs = (next.minRoundTripMs ?? Infinity) + TUNING.starvedMs;
  // Who never acknowledges is judged by the operating system's buffer alone.
  const isStarved =
    oldest !== undefined && (nowMs - oldest.sentMs > patienceMs || bufferedBytes > maxInFlightBytes(next));
  const overdueMs = oldest === undefined ? 0 : nowMs - oldest.sentMs - (next.minRoundTripMs ?? Infinity);
  const isOverdue = overdueMs > TUNING.overdueMs;
  if (isOverdue) next = { ...next, queueingMs: Math.max(next.queueingMs, overdueMs) };
  const event: ControlEvent | undefined = isStarved
    ? 'starved'
    : isOverdue && state.name !== 'stalled'
      ? 'overuse'
      : nowMs - next.sinceMs >= TUNING.restMs
        ? 'rested'
        : undefined;
  return decide(event ? enter(next, event, nowMs, settings) : next, event, settings);
}

/** What the target grows by in so much time. */
function growthOf(
  { name, targetBitsPerSecond, lastBackOffMs, lastTickMs }: ControlState,
  elapsedMs: number,
): number {
  const seconds = elapsedMs / 1000;
  if (name === 'startup') return TUNING.startupGrowth * targetBitsPerSecond * seconds;
  if (name !== 'probing') return 0;
  // Near what was too much lately it grows slowly, later ever faster.
  const restedMs = (lastTickMs ?? 0) - lastBackOffMs;
  const haste = Math.min(1, restedMs / TUNING.probingFullGrowthMs) ** 2;
  return (TUNING.probingGrowth * haste * targetBitsPerSecond + TUNING.probingBitsPerSecond) * seconds;
}

function enter(
  state: ControlState,
  event: ControlEvent,
  nowMs: number,
  settings: ControlSettings,
): ControlState {
  const name = CONTROL_TRANSITIONS[state.name][event];
  const next = name === state.name ? state : { ...state, name, sinceMs: nowMs };
  if (event !== 'overuse' && !(event === 'starved' && state.name !== 'stalled')) return next;
  // Once in a round trip: what was sent before the last back-off still arrives.
  if (event === 'overuse' && nowMs - state.lastBackOffMs < (state.minRoundTripMs ?? 0)) return next;
  const { least } = rateBounds(settings);
  const carried = Math.min(state.capacityBitsPerSecond ?? Infinity, state.targetBitsPerSecond);
  const lowered = Math.max(least, TUNING.backOff * carried);
  return { ...next, lastBackOffMs: nowMs, targetBitsPerSecond: lowered };
}

/** What is sent: the target, or less while a queue drains. */
function sendingBitsPerSecond({ name, targetBitsPerSecond, queueingMs }: ControlState): number {
  if (name === 'stalled') return 0;
  if (name !== 'backing_off') return targetBitsPerSecond;
  return targetBitsPerSecond * Math.max(TUNING.leastDrainShare, 1 - queueingMs / TUNING.drainMs);
}

function maxInFlightBytes({
  minRoundTripMs,
  capacityBitsPerSecond,
  targetBitsPerSecond,
}: ControlState): number {
  if (minRoundTripMs === undefined) return Infinity;
  const rate = Math.max(targetBitsPerSecond, capacityBitsPerSecond ?? 0);
  return (rate * (minRoundTripMs + TUNING.inFlightMs)) / 8000;
}

function decide(
  state: ControlState,
  event: ControlEvent | undefined,
  settings: ControlSettings,
): { readonly state: ControlState; readonly decision: Decision } {
  const frameIndex = state.inFlight.at(-1)?.endFrameIndex ?? 0;
  const { shape } = choosePacketShape(sendingBitsPerSecond(state), settings, frameIndex);
  // What is not tried cannot be known to fit: the target waits where other packets become possible.
  const { nextBitsPerSecond } = choosePacketShape(state.targetBitsPerSecond, settings, frameIndex);
  const { most } = rateBounds(settings);
  const targetBitsPerSecond = Math.min(
    state.targetBitsPerSecond,
    most,
    Math.max(wireBitsPerSecond(shape, settings, frameIndex), nextBitsPerSecond) * TUNING.headroom,
  );
  const next: ControlState = { ...state, targetBitsPerSecond, shape };
  return {
    state: next,
    decision: {
      ...shape,
      maxInFlightBytes: maxInFlightBytes(next),
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
