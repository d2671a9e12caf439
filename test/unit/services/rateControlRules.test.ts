import {
  CONTROL_EVENTS,
  CONTROL_STATES,
  CONTROL_TRANSITIONS,
  noteSent,
  packetWireBytes,
  rateBounds,
  startControl,
  stepControl,
  type ControlState,
  type Decision,
} from '../../../services/bitrate/index.js';
import { TUNING } from '../../../services/bitrate/tuning.js';
import { CONTROL_SETTINGS as SETTINGS } from '../../support/controlSettings.js';

describe('the rules of the controller', () => {
  test('has a transition for every state and event', () => {
    for (const state of CONTROL_STATES) {
      for (const event of CONTROL_EVENTS) {
        const next = CONTROL_TRANSITIONS[state][event];
        expect(CONTROL_STATES).toContain(next);
        // The first queue of a session is drained before anything else.
        const isFirst = state === 'startup' || state === 'draining';
        if (event === 'overuse') expect(next).toBe(isFirst ? 'draining' : 'backing_off');
        if (event === 'starved') expect(next).toBe('stalled');
        // Only time makes a state probe, so that it never grows right after it was lowered.
        if (next === 'probing' && state !== 'probing') expect([state, event]).toEqual(['steady', 'rested']);
      }
    }
  });

  /** The state after a packet that waited for so long behind others, on a link that was seen to carry `capacity`. */
  function afterWait(
    waitMs: number,
    { name, target, capacity }: { name: ControlState['name']; target: number; capacity: number },
  ): ControlState {
    const base = { delayMs: 40 + 800_000 / capacity, roundTripMs: 80 + 800_000 / capacity, wireBytes: 100 };
    const state: ControlState = {
      ...startControl(SETTINGS, 0),
      name,
      targetBitsPerSecond: target,
      capacityBitsPerSecond: capacity,
      delaySamples: [{ ...base, sentMs: 400, atMs: 500 }],
      leastRoundTripMs: base.roundTripMs,
      lastArrival: { sentMs: 900, wireBytes: 100, arrivalMs: 900 + base.delayMs },
      inFlight: [{ endFrameIndex: 50, wireBytes: 100, sentMs: 1000 }],
    };
    const arrivalMs = 1000 + base.delayMs + waitMs;
    const ack = { kind: 'ack', nowMs: arrivalMs + 40, nextFrameIndex: 50, bufferMs: 0, arrivalMs } as const;
    return stepControl(state, ack, SETTINGS).state;
  }

  /** The shortest wait that has it yield. */
  function leastYieldMs(target: number, capacity: number): number {
    for (let waitMs = 1; ; waitMs += 1) {
      if (afterWait(waitMs, { name: 'probing', target, capacity }).name === 'backing_off') return waitMs;
    }
  }

  test('lets the larger of two on one link yield first', () => {
    const [small, middle, large] = [6000, 9000, 18_000].map((target) => leastYieldMs(target, 40_000));
    expect(small).toBeGreaterThan(middle!);
    expect(middle).toBeGreaterThan(large!);
  });

  test('yields to less of a queue where the rate is far above what the link was seen to carry', () => {
    const yieldMs = (capacity: number): number => leastYieldMs(10_000, capacity);
    const edge = 10_000 - TUNING.knownBitsPerSecond;
    expect(yieldMs(edge + 1)).toBe(yieldMs(12_000));
    expect(yieldMs(edge - 1)).toBeLessThan((TUNING.watchfulShare + 0.02) * yieldMs(12_000));
  });

  test('falls once for a queue, also if it seemed to be gone in between', () => {
    const targetAfter = (name: ControlState['name']): number => {
      const after = afterWait(150, { name, target: 9000, capacity: 9000 });
      expect(after.name).toBe(name === 'startup' ? 'draining' : 'backing_off');
      return after.targetBitsPerSecond;
    };
    expect(targetAfter('probing')).toBeLessThan(9000);
    expect(targetAfter('steady')).toBe(9000);
    // The first time by more: of a queue that stood before the session it knows nothing.
    expect(targetAfter('startup')).toBeCloseTo(TUNING.firstShare * 9000);
    expect(targetAfter('startup')).toBeLessThan(targetAfter('probing'));
  });

  /** The state after packets that took so long each, the first sent at once, one each 200 ms, and time until the last is here. */
  function afterDelays(from: ControlState, delaysMs: readonly number[]): ControlState {
    let state = from;
    for (const at of delaysMs.keys()) {
      const sentMs = from.sinceMs + 200 * at;
      state = noteSent(state, { kind: 'sent', nowMs: sentMs, endFrameIndex: 6 * (at + 1), wireBytes: 100 });
    }
    const arrivals = delaysMs.map((delayMs, at) => from.sinceMs + 200 * at + delayMs);
    for (let nowMs = from.sinceMs; nowMs < Math.max(...arrivals) + 20; nowMs += 20) {
      for (const [at, arrivalMs] of arrivals.entries()) {
        if (arrivalMs <= nowMs - 20 || arrivalMs > nowMs) continue;
        const ack = { kind: 'ack', nowMs, nextFrameIndex: 6 * (at + 1), bufferMs: 0, arrivalMs } as const;
        ({ state } = stepControl(state, ack, SETTINGS));
      }
      ({ state } = stepControl(state, { kind: 'tick', nowMs, bufferedBytes: 0 }, SETTINGS));
    }
    return state;
  }

  test('does not grow while a queue that it has found drains, and does so once that is gone', () => {
    const start = startControl(SETTINGS, 0);
    const falling = afterDelays(start, [900, 800, 700, 600, 500]);
    expect(falling.name).toBe('startup');
    expect(falling.targetBitsPerSecond).toBe(start.targetBitsPerSecond);
    expect(afterDelays(start, [900, 800, 700, 700, 700]).targetBitsPerSecond).toBeGreaterThan(
      1.1 * start.targetBitsPerSecond,
    );
  });

  test('grows also where nothing is ever acknowledged', () => {
    let state = startControl(SETTINGS, 0);
    for (let nowMs = 0; nowMs <= 20_000; nowMs += 20) {
      ({ state } = stepControl(state, { kind: 'tick', nowMs, bufferedBytes: 0 }, SETTINGS));
    }
    expect(state.targetBitsPerSecond).toBeCloseTo(rateBounds(SETTINGS).most);
  });

  test('drains its first queue until delays do not fall any more, with the smallest packets', () => {
    const draining = { ...startControl(SETTINGS, 0), name: 'draining', sinceMs: 1000 } as const;
    const still = afterDelays(draining, [900, 800, 700, 600, 500]);
    expect(still.name).toBe('draining');
    const step = stepControl(still, { kind: 'tick', nowMs: 2320, bufferedBytes: 0 }, SETTINGS);
    expect(step.decision).toMatchObject({ quantizers: 1, framesPerPacket: 6 });
    expect(afterDelays(draining, [900, 800, 700, 690]).name).toBe('steady');
    const endless = Array.from({ length: 30 }, (_, at) => 3000 - 50 * at);
    expect(afterDelays(draining, endless).name).not.toBe('draining');
  });

  test('lets more be under way once all that comes takes longer there and back', () => {
    let state = startControl(SETTINGS, 0);
    /** What may be under way, as time at the rate, after packets each 200 ms that are acknowledged after so long. */
    const windowMsAfter = (packets: number, roundTripMs: number): number => {
      let decision: Decision | undefined;
      for (let at = 0; at < packets; at += 1) {
        const nowMs = (state.lastAckMs ?? 0) + 200;
        const endFrameIndex = nowMs;
        const sentMs = nowMs - roundTripMs;
        state = noteSent(state, { kind: 'sent', nowMs: sentMs, endFrameIndex, wireBytes: 100 });
        const ack = { kind: 'ack', nowMs, nextFrameIndex: endFrameIndex, bufferMs: 0 } as const;
        ({ state, decision } = stepControl(state, { ...ack, arrivalMs: sentMs + 40, heldMs: 0 }, SETTINGS));
      }
      return (8000 * (decision?.maxInFlightBytes ?? NaN)) / state.targetBitsPerSecond;
    };
    const shortMs = windowMsAfter(10, 80);
    expect(windowMsAfter(10, 140)).toBeCloseTo(shortMs, -1);
    expect(windowMsAfter(TUNING.baseWindowMs / 200, 140)).toBeCloseTo(shortMs + 60, -1);
  });

  /** The rate after growing for so long, of one that never fell or did at a time. */
  function grownTo(
    durationMs: number,
    { target, capacity, lastBackOffMs }: { target: number; capacity?: number; lastBackOffMs?: number },
  ): number {
    let state: ControlState = {
      ...startControl(SETTINGS, 0),
      name: 'probing',
      targetBitsPerSecond: target,
      capacityBitsPerSecond: capacity,
      lastBackOffMs,
    };
    const fromMs = 10_000;
    for (let nowMs = fromMs; nowMs <= fromMs + durationMs; nowMs += 20) {
      ({ state } = stepControl(state, { kind: 'tick', nowMs, bufferedBytes: 0 }, SETTINGS));
    }
    return state.targetBitsPerSecond;
  }

  test('grows at another pace after each back-off, the same for the same', () => {
    const grown = Array.from(
      { length: 50 },
      (_, at) => grownTo(500, { target: 9000, lastBackOffMs: 100 * at }) - 9000,
    );
    const middle = grown.reduce((sum, each) => sum + each, 0) / grown.length;
    expect(Math.min(...grown)).toBeLessThan((1 - 0.7 * TUNING.growthSpread) * middle);
    expect(Math.max(...grown)).toBeGreaterThan((1 + 0.7 * TUNING.growthSpread) * middle);
    expect(grownTo(500, { target: 9000, lastBackOffMs: 1700 }) - 9000).toBe(grown[17]);
  });

  test('grows above what the link was seen to carry by what may drain again: little on slow links', () => {
    const { least } = rateBounds(SETTINGS);
    const grownOn = (capacity: number): number => grownTo(5000, { target: capacity, capacity });
    const { triedBitsPerSecond, mostAboveShare } = TUNING;
    const spare = triedBitsPerSecond / mostAboveShare;
    expect(grownOn(least)).toBeCloseTo(least + triedBitsPerSecond);
    expect(grownOn(least + 0.9 * spare)).toBeCloseTo(least + 0.9 * spare + triedBitsPerSecond);
    expect(grownOn(least + 2 * spare)).toBeCloseTo(least + 2 * spare + 2 * triedBitsPerSecond);
  });

  test('falls again where a queue does not drain, also on a link that was never seen full', () => {
    const waiting = (sinceMs: number): number => {
      const base = { delayMs: 40, roundTripMs: 80, wireBytes: 100 };
      const state: ControlState = {
        ...startControl(SETTINGS, 0),
        name: 'backing_off',
        sinceMs,
        targetBitsPerSecond: 9000,
        delaySamples: [{ ...base, sentMs: 2900, atMs: 3000 }],
        leastRoundTripMs: 80,
        lastArrival: { sentMs: 2900, wireBytes: 100, arrivalMs: 3020 },
        inFlight: [{ endFrameIndex: 50, wireBytes: 100, sentMs: 3020 }],
        queueingMs: 80,
      };
      const ack = { kind: 'ack', nowMs: 3180, nextFrameIndex: 50, bufferMs: 0, arrivalMs: 3140 } as const;
      return stepControl(state, ack, SETTINGS).state.targetBitsPerSecond;
    };
    expect(waiting(3180 - TUNING.mostDrainingMs + 1)).toBe(9000);
    expect(waiting(3180 - TUNING.mostDrainingMs)).toBeCloseTo((1 - TUNING.risingBackOff) * 9000);
  });

  test('takes a delay that stays for none of a queue, but not one that became far longer', () => {
    const packet = { quantizers: 8, framesPerPacket: 6 };
    const wireBytes = packetWireBytes(packet, SETTINGS, 300);
    /** What is felt after packets each 120 ms that came evenly, each later than the one before until that is by `mostMs`. */
    const felt = (mostMs: number): number => {
      let state: ControlState = { ...startControl(SETTINGS, 0), capacityBitsPerSecond: 20_000 };
      for (let at = 0; at < 60; at += 1) {
        const sentMs = 120 * at;
        const endFrameIndex = 6 * (at + 1);
        state = noteSent(state, { kind: 'sent', nowMs: sentMs, endFrameIndex, wireBytes });
        const arrivalMs = sentMs + 50 + Math.min(mostMs, 4 * at);
        const ack = {
          kind: 'ack',
          nowMs: arrivalMs + 40,
          nextFrameIndex: endFrameIndex,
          bufferMs: 0,
        } as const;
        ({ state } = stepControl(state, { ...ack, arrivalMs, heldMs: 0 }, SETTINGS));
      }
      return state.queueingMs;
    };
    expect(felt(TUNING.mostUnseenMs - 20)).toBeCloseTo(0);
    expect(felt(TUNING.mostUnseenMs + 60)).toBeCloseTo(60);
  });

  test('while a queue drains, goes lower only when it still grows, and by a share that is the same for all', () => {
    const targetAfter = (waitMs: number, capacity: number): number =>
      afterWait(waitMs, { name: 'backing_off', target: 8000, capacity }).targetBitsPerSecond;
    const { risingMs, risingBackOff } = TUNING;
    expect(targetAfter(risingMs - 1, 5000)).toBe(8000);
    expect(targetAfter(risingMs + 1, 5000)).toBeCloseTo((1 - risingBackOff) * 8000);
    expect(targetAfter(risingMs + 1, 3000)).toBeCloseTo((1 - risingBackOff) * 8000);
  });
});
