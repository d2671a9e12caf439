import {
  noteSent,
  PacedOutput,
  startControl,
  stepControl,
  wireBitsPerSecond,
  wireBytesOf,
  type Decision,
  type Feedback,
  type PaceablePacket,
} from '../../../services/bitrate/index.js';
import { CONTROL_SETTINGS as SETTINGS } from '../../support/controlSettings.js';
import { seededRandom } from '../../support/streams.js';

describe('the controller', () => {
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
