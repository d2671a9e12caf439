import { packetWireBytes, type ControlSettings } from '../../../services/bitrate/index.js';
import { shareLink, summarizeFairness } from '../../../scripts/bench/bitrate/fairness.js';
import {
  delayMs,
  figuresOf,
  meanFigures,
  stepFigures,
  unmarkedFrames,
  waitMs,
} from '../../../scripts/bench/bitrate/figures.js';
import { DelayedAcks } from '../../../scripts/bench/bitrate/delayedAcks.js';
import { idealRecords } from '../../../scripts/bench/bitrate/ideal.js';
import { runLinks } from '../../../scripts/bench/bitrate/linkBench.js';
import { drawTrace } from '../../../scripts/bench/bitrate/linkCharts.js';
import { LinkModel } from '../../../scripts/bench/bitrate/linkModel.js';
import { fairnessSection, linkSection } from '../../../scripts/bench/bitrate/report.js';
import { AdaptiveSender, FixedSender, type PacketRecord } from '../../../scripts/bench/bitrate/senders.js';
import { simulateAlone } from '../../../scripts/bench/bitrate/simulation.js';
import {
  lossTrace,
  lteTrace,
  rampTrace,
  secondGenerationTrace,
  stepTrace,
  traceDurationMs,
  type LinkTrace,
} from '../../../scripts/bench/bitrate/traces.js';
import { seededRandom } from '../../../scripts/bench/random.js';

const SETTINGS: ControlSettings = {
  minQuantizers: 1,
  maxQuantizers: 16,
  maxFramesPerPacket: 6,
  frameMs: 20,
  bitsPerCode: 10,
};

const at = ({ bitsPerSecond }: LinkTrace, seconds: number): number => bitsPerSecond[seconds * 50]!;

describe('traces', () => {
  test('have the rates that they say', () => {
    const step = stepTrace(9000, 3000, 30);
    expect(traceDurationMs(step)).toBe(30_000);
    expect([0, 9, 11, 19, 21, 29].map((seconds) => at(step, seconds))).toEqual([
      9000, 9000, 3000, 3000, 9000, 9000,
    ]);
    const ramp = rampTrace(24_000, 6000, 80);
    expect([0, 20, 40, 60].map((seconds) => at(ramp, seconds))).toEqual([24_000, 6000, 24_000, 6000]);
  });

  test.each([secondGenerationTrace, lteTrace])('of a seed are the same, of others not: %p', (make) => {
    const trace = make(3, 60);
    expect(make(3, 60)).toEqual(trace);
    expect(make(4, 60)).not.toEqual(trace);
    const outShare = trace.bitsPerSecond.filter((rate) => rate === 0).length / trace.bitsPerSecond.length;
    expect(outShare).toBeLessThan(0.2);
    expect(Math.max(...trace.bitsPerSecond)).toBeGreaterThan(10_000);
  });
});

describe('the link', () => {
  const never = (): number => 1;

  test('carries one packet after the other, at the rate of the moment', () => {
    const link = new LinkModel(stepTrace(8000, 4000, 3), never);
    expect(link.send(0, 100)).toEqual({ startMs: 0, arrivalMs: 140 });
    expect(link.send(10, 100)).toEqual({ startMs: 100, arrivalMs: 240 });
    // Half of it before the rate is halved at 1 s.
    expect(link.send(950, 100)).toEqual({ startMs: 950, arrivalMs: 1000 + 100 + 40 });
  });

  test('keeps the order of a connection behind what was lost, and of that alone', () => {
    const draws = [1, 0, 1, 1];
    const link = new LinkModel(lossTrace(80_000, 0.5, 10), () => draws.shift() ?? 1);
    expect(link.send(0, 100, 1).arrivalMs).toBe(50);
    expect(link.send(100, 100, 1).arrivalMs).toBe(150 + 280);
    expect(link.send(200, 100, 1).arrivalMs).toBe(430);
    expect(link.send(210, 100, 2).arrivalMs).toBe(260);
  });

  test('waits out an outage', () => {
    const trace: LinkTrace = { ...lossTrace(8000, 0, 4), bitsPerSecond: new Float64Array(200).fill(8000) };
    trace.bitsPerSecond.fill(0, 50, 100);
    expect(new LinkModel(trace, never).send(1200, 100)).toEqual({ startMs: 1200, arrivalMs: 2140 });
  });
});

test('TCP acknowledges on a packet that goes soon enough, else alone, and at once after that', () => {
  const acks = new DelayedAcks();
  expect(acks.heard(0)).toBe(true);
  expect(acks.dueMs).toBe(Infinity);
  // An answer: from now on it waits for the next one.
  acks.sent(30);
  expect(acks.heard(100)).toBe(false);
  expect(acks.dueMs).toBe(140);
  acks.sent(120);
  expect(acks.dueMs).toBe(Infinity);
  // More is said before there was an answer to the first.
  expect(acks.heard(200)).toBe(false);
  expect(acks.heard(220)).toBe(true);
  expect(acks.dueMs).toBe(Infinity);
  expect(acks.heard(300)).toBe(false);
  expect(acks.dueMs).toBe(340);
  acks.expire();
  expect(acks.heard(400)).toBe(true);
});

describe('what a listener got', () => {
  const delivered = (firstFrameIndex: number, wait: number, quantizers = 4): PacketRecord => {
    const madeMs = 20 * (firstFrameIndex + 1);
    const delivery = { startMs: madeMs + wait, arrivalMs: madeMs + wait + 60 };
    return { firstFrameIndex, frameCount: 2, quantizers, wireBytes: 70, madeMs, delivery };
  };
  const dropped = { ...delivered(4, 0, 0), wireBytes: 0, delivery: undefined };

  test('counts frames, late ones and dropped ones', () => {
    const records = [delivered(0, 10), delivered(2, 400, 8), dropped, delivered(6, 0)];
    expect(figuresOf(records, 20)).toEqual({
      frames: 8,
      meanQuantizers: 4,
      queueing95Ms: 400,
      lateShare: 0.25,
      droppedShare: 0.25,
      wireBitsPerSecond: (8000 * 210) / 160,
      framesPerPacket: 2,
    });
    expect(delayMs(records[1]!, 20)).toBe(400 + 60 + 20);
    expect(delayMs(dropped, 20)).toBeUndefined();
    const other = figuresOf([delivered(0, 10, 8)], 20);
    expect(meanFigures([figuresOf(records, 20), other]).meanQuantizers).toBe(6);
  });

  test('sees frames that are in no packet and no gap', () => {
    expect(unmarkedFrames([delivered(0, 0), delivered(2, 0), dropped])).toBe(0);
    expect(unmarkedFrames([delivered(0, 0), delivered(6, 0)])).toBe(4);
  });

  test('sees when the queue after a step is gone', () => {
    const records = [0, 50, 100, 150, 200].map((first, index) =>
      delivered(first, [0, 300, 200, 10, 160][index]!),
    );
    expect(stepFigures(records, 1000, 5000)).toEqual({ settledMs: 1020, lateWaits: 1, mostWaitMs: 300 });
  });
});

describe('senders', () => {
  test('a fixed bitrate above the link waits ever longer, rate control does not', () => {
    const trace = lossTrace(9000, 0, 30);
    const shape = { quantizers: 14, framesPerPacket: 6 };
    const wireBytes = [packetWireBytes(shape, SETTINGS, 700)];
    const fixed = simulateAlone(trace, 1, (link) => new FixedSender(link, { ...shape, wireBytes }, 20));
    const adaptive = simulateAlone(trace, 1, (link) => new AdaptiveSender(link, SETTINGS));
    expect(figuresOf(fixed, 20).queueing95Ms).toBeGreaterThan(1000);
    expect(figuresOf(adaptive, 20).queueing95Ms).toBeLessThan(200);
    expect(unmarkedFrames(adaptive)).toBe(0);
    expect(figuresOf(adaptive, 20).wireBitsPerSecond).toBeLessThan(9000);
  });

  test('who knows the trace hardly lets a packet wait, and is ahead in codebooks', () => {
    const trace = lteTrace(1, 60);
    const ideal = idealRecords(trace, SETTINGS);
    const adaptive = simulateAlone(trace, 1, (link) => new AdaptiveSender(link, SETTINGS));
    const waits = ideal.flatMap((record) => waitMs(record) ?? []);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60 + 5 * 20);
    expect(figuresOf(ideal, 20).queueing95Ms).toBeLessThanOrEqual(60);
    expect(figuresOf(ideal, 20).meanQuantizers).toBeGreaterThan(figuresOf(adaptive, 20).meanQuantizers);
    expect(unmarkedFrames(ideal)).toBe(0);
  });
});

test('two on one link get the same within 20%, on a slow one with loss and on a fast one too', () => {
  const links = Array.from({ length: 60 }, (_, index) => shareLink(SETTINGS, 3001 + index));
  expect(links.some(({ bitsPerSecond, lossShare }) => bitsPerSecond < 13_000 && lossShare > 0)).toBe(true);
  expect(links.some(({ bitsPerSecond }) => bitsPerSecond > 38_000)).toBe(true);
  const { unfair, usedShare } = summarizeFairness(links);
  expect(unfair).toBe(0);
  expect(usedShare).toBeGreaterThan(0.85);
});

test('the report says of each link and sender what was measured, the same in every run', () => {
  const opus = { framesPerPacket: 6, quantizers: 0, wireBytes: [150], bitsPerSecond: 6000, source: 'a test' };
  const figures = runLinks(SETTINGS, opus, { firstSeed: 7, seeds: 1 });
  const shared = shareLink(SETTINGS, 1);
  expect(shareLink(SETTINGS, 1)).toEqual(shared);
  const report =
    linkSection(figures, opus, ({ name }) => `${name}.svg`) +
    fairnessSection(summarizeFairness([shared]), 'simulated');
  for (const { name, shown } of figures.links) {
    expect(report).toContain(`| ${name} |`);
    expect(drawTrace(shown, SETTINGS)).toMatch(/^<svg/);
  }
  expect(figures.links.map(({ name }) => name)).toEqual(['step', 'ramps', 'loss', '2G-like', 'LTE-like']);
  expect(report).not.toMatch(/NaN|undefined|Infinity/);
});

test('random numbers of a seed fill the unit interval', () => {
  const random = seededRandom(9);
  const values = Array.from({ length: 2000 }, random);
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...values)).toBeLessThan(1);
  expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(0.5, 1);
});
