import {
  AckTimer,
  choosePacketShape,
  CONTROL_EVENTS,
  CONTROL_STATES,
  CONTROL_TRANSITIONS,
  noteSent,
  PacedOutput,
  packetWireBytes,
  rateBounds,
  startControl,
  stepControl,
  wireBitsPerSecond,
  wireBytesOf,
  type ControlSettings,
  type ControlState,
  type Decision,
  type Feedback,
  type PaceablePacket,
} from '../../../services/bitrate/index.js';
import { TUNING } from '../../../services/bitrate/tuning.js';
import { encodeFrame } from '../../../protocol/index.js';
import { seededRandom } from '../../support/streams.js';

const SETTINGS: ControlSettings = {
  minQuantizers: 1,
  maxQuantizers: 12,
  maxFramesPerPacket: 6,
  frameMs: 20,
  bitsPerCode: 10,
};

describe('the cost of a packet', () => {
  test.each([
    { quantizers: 1, framesPerPacket: 1, frameIndex: 0 },
    { quantizers: 6, framesPerPacket: 5, frameIndex: 300 },
    { quantizers: 12, framesPerPacket: 10, frameIndex: 20_000 },
  ])('$quantizers codebooks of $framesPerPacket frames', ({ frameIndex, ...shape }) => {
    const { quantizers, framesPerPacket: frameCount } = shape;
    const codes = new Uint16Array(quantizers * frameCount);
    const frame = encodeFrame(
      { kind: 'tokens', firstFrameIndex: frameIndex, frameCount, quantizers, codes },
      { codebookSize: 1024 },
    );
    const webSocketHeader = frame.length > 125 ? 4 : 2;
    expect(packetWireBytes(shape, SETTINGS, frameIndex)).toBe(52 + webSocketHeader + frame.length);
    expect(wireBytesOf(frame.length)).toBe(52 + webSocketHeader + frame.length);
  });

  test('decides how much sound a packet gathers: long packets on slow links, single frames on fast ones', () => {
    const { least, most } = rateBounds(SETTINGS);
    let last = choosePacketShape(0, SETTINGS, 0).shape;
    expect(last).toEqual({ quantizers: 1, framesPerPacket: 6 });
    for (let rate = least; rate <= 1.1 * most; rate += 100) {
      const { shape, nextBitsPerSecond } = choosePacketShape(rate, SETTINGS, 1000);
      expect(nextBitsPerSecond).toBeGreaterThan(rate);
      expect(wireBitsPerSecond(shape, SETTINGS, 1000)).toBeLessThanOrEqual(rate);
      expect(shape.quantizers).toBeGreaterThanOrEqual(Math.min(last.quantizers, 11));
      last = shape;
    }
    expect(last).toEqual({ quantizers: 12, framesPerPacket: 1 });
  });
});

describe('the time of acknowledgements', () => {
  /** Packets of 6 frames made at `madeMs`, each acknowledged 50 ms later by a clock that is 1000 ms ahead, 30 ms under way. */
  function timingsOf(madeMs: readonly number[], timer = new AckTimer(20)) {
    return madeMs.map((nowMs, index) => {
      timer.made(6 * (index + 1), nowMs);
      return timer.heard(nowMs + 50 - 30 + 1000, nowMs + 50);
    });
  }

  test('is told once packets are known: so that they are here 20 ms before one is made', () => {
    const madeMs = Array.from({ length: 100 }, (_, index) => 5000 + 120 * index);
    const timings = timingsOf(madeMs);
    expect(timings.findIndex(Boolean)).toBe(7);
    // Said 30 ms earlier, by the client's clock, than it is to be here.
    expect(timings[7]).toEqual({ frameIndex: 48, atMs: madeMs[7]! - 20 - 30 + 1000 });
    expect(timings.filter(Boolean)).toHaveLength(1);
  });

  test('is told again when packets are made at other times, and seldom however much they vary', () => {
    const shifted = Array.from({ length: 200 }, (_, index) => 120 * index + (index < 80 ? 0 : 50));
    const timings = timingsOf(shifted);
    const told = timings.flatMap((timing, index) => (timing ? [index] : []));
    expect(told).toHaveLength(2);
    expect(told[1]).toBeGreaterThan(80);
    expect(told[1]).toBeLessThan(100);
    const random = seededRandom(3);
    const wild = Array.from({ length: 500 }, (_, index) => 120 * index + 1000 * random());
    expect(timingsOf(wild).filter(Boolean).length).toBeLessThanOrEqual(60_000 / 5000 + 1);
  });
});

describe('the controller', () => {
  test('has a transition for every state and event', () => {
    for (const state of CONTROL_STATES) {
      for (const event of CONTROL_EVENTS) {
        const next = CONTROL_TRANSITIONS[state][event];
        expect(CONTROL_STATES).toContain(next);
        if (event === 'overuse') expect(next).toBe('backing_off');
        if (event === 'starved') expect(next).toBe('stalled');
        // Only time makes a state probe, so that it never grows right after it was lowered.
        if (next === 'probing' && state !== 'probing') expect([state, event]).toEqual(['steady', 'rested']);
      }
    }
  });

  /** Feedback of a link of so many bits a second, packet by packet; what the controller decided. */
  function drive(
    bitsPerSecondAt: (timeMs: number) => number,
    durationMs: number,
    clockOffsetMs: number,
    codedBits = 10,
  ) {
    const log: { feedback: Feedback; decision: Decision }[] = [];
    const sent: { endFrameIndex: number; arrivalMs: number }[] = [];
    const waits: { atMs: number; waitMs: number }[] = [];
    let freeAtMs = 0;
    let nowMs = 0;
    const output = new PacedOutput<{
      firstFrameIndex: number;
      frameCount: number;
      bytes: Uint8Array;
      askedCodes: number;
    }>(SETTINGS, 0, {
      send: ({ firstFrameIndex, frameCount, bytes }) => {
        const startMs = Math.max(nowMs, freeAtMs);
        waits.push({ atMs: nowMs, waitMs: startMs - nowMs });
        freeAtMs = startMs + (8000 * wireBytesOf(bytes.length)) / bitsPerSecondAt(startMs);
        sent.push({ endFrameIndex: firstFrameIndex + frameCount, arrivalMs: freeAtMs + 40 });
      },
      drop: () => undefined,
      onDecision: (feedback, decision) => log.push({ feedback, decision }),
    });
    let pending = 0;
    for (let frame = 0; frame * 20 < durationMs; frame += 1) {
      nowMs = frame * 20;
      while (sent[0] && sent[0].arrivalMs + 40 <= nowMs) {
        const { endFrameIndex, arrivalMs } = sent.shift()!;
        output.feedback({
          kind: 'ack',
          nowMs,
          nextFrameIndex: endFrameIndex,
          bufferMs: 0,
          arrivalMs: arrivalMs + clockOffsetMs,
        });
      }
      output.feedback({ kind: 'tick', nowMs, bufferedBytes: 0 });
      pending += 1;
      const { quantizers, framesPerPacket } = output.shape;
      if (pending < framesPerPacket) continue;
      const askedCodes = pending * quantizers;
      const bytes = new Uint8Array(5 + Math.ceil((askedCodes * codedBits) / 8));
      output.packet({ firstFrameIndex: frame + 1 - pending, frameCount: pending, bytes, askedCodes }, nowMs);
      pending = 0;
    }
    return { log, waits };
  }

  test('decides the same when its feedback is replayed, and whatever the clock of the receiver shows', () => {
    const random = seededRandom(5);
    const rates = Array.from({ length: 40 }, () => 5000 + 15_000 * random());
    const rateAt = (timeMs: number): number => rates[Math.floor(timeMs / 1000) % rates.length]!;
    const { log } = drive(rateAt, 30_000, 0);
    const kept = JSON.parse(JSON.stringify(log)) as typeof log;
    let state = stepControl(
      startControl(SETTINGS, 0),
      { kind: 'tick', nowMs: 0, bufferedBytes: 0 },
      SETTINGS,
    ).state;
    let decided: unknown;
    for (const { feedback, decision } of kept) {
      if (feedback.kind === 'sent') {
        state = noteSent(state, feedback);
      } else {
        const step = stepControl(state, feedback, SETTINGS);
        ({ state } = step);
        decided = JSON.parse(JSON.stringify(step.decision));
      }
      expect(decided).toEqual(decision);
    }
    const states = new Set(log.map(({ decision }) => decision.reasons.state));
    expect([...states]).toEqual(expect.arrayContaining(['startup', 'backing_off', 'steady', 'probing']));
    const shapesOf = (each: typeof log): unknown[] =>
      each.map(({ decision }) => [decision.quantizers, decision.framesPerPacket]);
    expect(shapesOf(drive(rateAt, 30_000, 1e9).log)).toEqual(shapesOf(log));
  });

  test.each([6000, 9000, 14_000, 22_000])('uses most of a link of %i bit/s and hardly waits', (rate) => {
    const { log, waits } = drive(() => rate, 40_000, 0);
    const settled = log.filter(({ feedback }) => feedback.nowMs > 10_000);
    const mean = (values: number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
    const used = mean(settled.map(({ decision }) => wireBitsPerSecond(decision, SETTINGS, 1000)));
    expect(used / rate).toBeGreaterThan(0.7);
    expect(used / rate).toBeLessThan(1.02);
    expect(mean(waits.filter(({ atMs }) => atMs > 10_000).map(({ waitMs }) => waitMs))).toBeLessThan(80);
  });

  test('holds back and drops with a mark while nothing arrives, and is back soon after', () => {
    const drops: [number, number][] = [];
    const sent: number[] = [];
    const output = new PacedOutput<{ firstFrameIndex: number; frameCount: number; bytes: Uint8Array }>(
      SETTINGS,
      0,
      {
        send: ({ firstFrameIndex }) => sent.push(firstFrameIndex),
        drop: (firstFrameIndex, frameCount) => drops.push([firstFrameIndex, frameCount]),
      },
    );
    const packet = (frame: number) => ({ firstFrameIndex: frame, frameCount: 1, bytes: new Uint8Array(12) });
    const step = (frame: number, acknowledged: boolean): void => {
      output.feedback({ kind: 'tick', nowMs: frame * 20, bufferedBytes: 0 });
      output.packet(packet(frame), frame * 20);
      if (!acknowledged) return;
      const nowMs = frame * 20 + 19;
      output.feedback({ kind: 'ack', nowMs, nextFrameIndex: frame + 1, bufferMs: 0, arrivalMs: nowMs });
    };
    for (let frame = 0; frame < 100; frame += 1) step(frame, true);
    expect(sent).toHaveLength(100);
    for (let frame = 100; frame < 200; frame += 1) step(frame, false);
    expect(output.decision.reasons.state).toBe('stalled');
    const underWay = sent.length - 100;
    expect(underWay).toBeLessThan(30);
    output.feedback({
      kind: 'ack',
      nowMs: 4000,
      nextFrameIndex: 100 + underWay,
      bufferMs: 0,
      arrivalMs: 4000,
    });
    // What was too old is one gap; what is left is not.
    expect(drops).toEqual([[100 + underWay, expect.any(Number)]]);
    expect(drops[0]![0] + drops[0]![1]).toBe(sent.find((frame) => frame >= 100 + underWay));
    expect(drops[0]![0] + drops[0]![1]).toBeGreaterThanOrEqual(191);
    expect(output.decision.reasons.state).not.toBe('stalled');
  });

  test('sends what would wait where TCP would acknowledge the receiver in a packet of its own', () => {
    const sent: number[] = [];
    const output = new PacedOutput(SETTINGS, 0, {
      send: ({ firstFrameIndex }: PaceablePacket) => sent.push(firstFrameIndex),
      drop: () => undefined,
    });
    const packet = (frame: number, bytes: number): void =>
      output.packet({ firstFrameIndex: frame, frameCount: 1, bytes: new Uint8Array(bytes) }, 20 * frame);
    for (let frame = 0; frame < 3; frame += 1) packet(frame, 12);
    const ack = { kind: 'ack', nextFrameIndex: 1, bufferMs: 0, arrivalMs: 40, heldMs: 0 } as const;
    output.feedback({ ...ack, nowMs: 60 });
    const { maxInFlightBytes } = output.decision;
    const left = maxInFlightBytes - 2 * wireBytesOf(12);
    // Too much by less than a packet without payload has: it goes, once.
    const bytes = left - wireBytesOf(12) - wireBytesOf(0) + 40;
    packet(3, 12);
    expect(sent).toEqual([0, 1, 2, 3]);
    packet(4, bytes);
    packet(5, 12);
    expect(sent).toEqual([0, 1, 2, 3]);
    output.feedback({ ...ack, nowMs: 101, nextFrameIndex: 1 });
    expect(sent).toEqual([0, 1, 2, 3, 4]);
  });

  test('counts what coding saves: more codebooks on the same link, no long waits', () => {
    const mean = (values: number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
    const quantizersWith = (codedBits: number, mostWaitMs: number): number => {
      const { log, waits } = drive(() => 8000, 40_000, 0, codedBits);
      expect(mean(waits.map(({ waitMs }) => waitMs))).toBeLessThan(mostWaitMs);
      return mean(log.slice(log.length / 4).map(({ decision }) => decision.quantizers));
    };
    const packed = quantizersWith(10, 80);
    expect(packed).toBeGreaterThan(4);
    expect(quantizersWith(8, 110) / packed).toBeGreaterThan(1.12);
    // Coding that makes packets longer is seen, too.
    expect(quantizersWith(12, 80)).toBeLessThan(packed);
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
      delaySamples: [{ ...base, atMs: 500 }],
      minRoundTripMs: base.roundTripMs,
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
    expect(yieldMs(edge - 1)).toBeLessThan((TUNING.watchfulShare + 0.05) * yieldMs(12_000));
  });

  test('falls once for a queue, also if it seemed to be gone in between', () => {
    const targetAfter = (name: ControlState['name']): number => {
      const after = afterWait(150, { name, target: 9000, capacity: 9000 });
      expect(after.name).toBe('backing_off');
      return after.targetBitsPerSecond;
    };
    expect(targetAfter('probing')).toBeLessThan(9000);
    expect(targetAfter('steady')).toBe(9000);
    // The first time by more: of a queue that stood before the session it knows nothing.
    expect(targetAfter('startup')).toBeLessThan(0.8 * targetAfter('probing'));
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
        delaySamples: [{ ...base, atMs: 3000 }],
        minRoundTripMs: 80,
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

  test('has no use for acknowledgements of what was never sent, and bounds what it remembers', () => {
    let { state } = { state: startControl(SETTINGS, 0) };
    const before = state;
    ({ state } = stepControl(state, { kind: 'ack', nowMs: 5, nextFrameIndex: 99, bufferMs: 0 }, SETTINGS));
    expect(state).toEqual(before);
    for (let frame = 0; frame < 2000; frame += 1) {
      const sent = { kind: 'sent', nowMs: frame, endFrameIndex: frame + 1, wireBytes: 70 } as const;
      state = noteSent(state, sent);
    }
    expect(state.inFlight).toHaveLength(256);
  });
});
