import { JitterBuffer, type JitterBufferOptions } from '../../../sdk/audio/jitterBuffer.js';
import { Resampler } from '../../../sdk/audio/resampler.js';
import { stoi } from '../../../codec/quality/index.js';
import { readWavFixture } from '../../support/wavFixture.js';

const RATE = 24_000;
const HOP = 480;
const QUANTUM = 120;
const LIVE: JitterBufferOptions = { live: true, minMs: 20, maxMs: 500, maxBufferMs: 2000 };

const speech = (() => {
  const { samples, sampleRate } = readWavFixture('speech-en-1.wav');
  return sampleRate === RATE ? samples : new Resampler(sampleRate, RATE).push(samples);
})();

/** Plays packets of one frame that arrive when `arrivalMs` says, on a clock of render quanta. */
function play(
  arrivalMs: (frame: number) => number | undefined,
  options: Partial<JitterBufferOptions> = {},
  durationS = 6,
): { readonly heard: Float32Array; readonly buffer: JitterBuffer; readonly bufferMs: number[] } {
  const buffer = new JitterBuffer(RATE, { ...LIVE, ...options });
  // In their order, as a WebSocket delivers: one that is late holds up those after it.
  const arrivals = Array.from({ length: Math.floor(speech.length / HOP) }, (_, frame) => ({
    frame,
    ms: arrivalMs(frame),
  })).filter((each): each is { frame: number; ms: number } => each.ms !== undefined);
  const heard = new Float32Array(durationS * RATE);
  const bufferMs: number[] = [];
  for (let at = 0; at < heard.length; at += QUANTUM) {
    const nowMs = (1000 * at) / RATE;
    while (arrivals[0] && arrivals[0].ms <= nowMs) {
      const { frame, ms } = arrivals.shift()!;
      buffer.push(frame * HOP, speech.subarray(frame * HOP, (frame + 1) * HOP), ms);
    }
    buffer.pull(heard.subarray(at, at + QUANTUM));
    bufferMs.push(buffer.stats.bufferMs);
  }
  return { heard, buffer, bufferMs };
}

/** Largest step between neighbouring samples. */
function steepest(samples: Float32Array): number {
  let most = 0;
  for (let at = 1; at < samples.length; at += 1) {
    most = Math.max(most, Math.abs(samples[at]! - samples[at - 1]!));
  }
  return most;
}

const end = Math.floor(speech.length / HOP) * HOP;

test('packets on time are played as they are, after the least delay', () => {
  const { heard, buffer } = play((frame) => 20 * (frame + 1));
  const first = heard.findIndex((sample) => sample !== 0);
  const start = first - speech.findIndex((sample) => sample !== 0);
  expect(heard.slice(start, start + end)).toEqual(speech.slice(0, end));
  expect(start / RATE).toBeLessThan(0.06);
  expect(buffer.stats.skippedMs).toBe(0);
});

test('jitter is held against, with hardly a sample made up once it is known', () => {
  const arrival = (frame: number): number => 20 * (frame + 1) + 60 * Math.abs(Math.sin(frame * 1.7));
  const { buffer } = play(arrival);
  expect(buffer.stats.targetMs).toBeGreaterThan(60);
  expect(buffer.stats.targetMs).toBeLessThan(130);
  const afterTheEnd = 6000 - 20 * Math.floor(speech.length / HOP);
  expect(buffer.stats.concealedMs).toBeLessThan(afterTheEnd + 200);
});

test('lost packets keep what follows in its place, without clicks', () => {
  const lost = new Set([60, 61, 100, 150, 151, 152]);
  const { heard } = play((frame) => (lost.has(frame) ? undefined : 20 * (frame + 1)));
  const first = heard.findIndex((sample) => sample !== 0) - speech.findIndex((sample) => sample !== 0);
  expect(heard.slice(first + 160 * HOP, first + 200 * HOP)).toEqual(speech.slice(160 * HOP, 200 * HOP));
  expect(stoi(speech.slice(0, end), heard.slice(first, first + end), RATE)).toBeGreaterThan(0.9);
  expect(steepest(heard)).toBeLessThan(1.3 * steepest(speech));
});

test('a stall is covered, caught up with, and leaves no click', () => {
  const arrival = (frame: number): number =>
    20 * (frame + 1) + (frame >= 80 && frame < 110 ? 20 * (110 - frame) : 0);
  const { heard, buffer, bufferMs } = play(arrival);
  expect(steepest(heard)).toBeLessThan(1.3 * steepest(speech));
  expect(Math.max(...bufferMs)).toBeGreaterThan(300);
  expect(buffer.stats.skippedMs).toBeGreaterThan(100);
});

test('what is to be played to its end is, however fast it came', () => {
  const { heard, buffer } = play(() => 0, { live: false, maxBufferMs: 60_000 });
  const start = heard.findIndex((sample) => sample !== 0) - speech.findIndex((sample) => sample !== 0);
  expect(heard.slice(start, start + end)).toEqual(speech.slice(0, end));
  expect(buffer.stats.skippedMs).toBe(0);
});

test('it never holds more than its bound', () => {
  const { bufferMs } = play((frame) => (frame < 100 ? 20 * (frame + 1) : 2000), { maxBufferMs: 700 });
  expect(Math.max(...bufferMs)).toBeLessThanOrEqual(700);
});

test('a packet that comes twice is played once', () => {
  const buffer = new JitterBuffer(RATE, LIVE);
  for (const from of [0, 0, 240]) buffer.push(from, speech.subarray(from, from + HOP), 0);
  expect(buffer.stats.bufferMs).toBe(30);
});

test('resampling keeps the sound', () => {
  const there = new Resampler(RATE, 48_000);
  const back = new Resampler(48_000, RATE);
  const parts: number[] = [];
  for (let at = 0; at < speech.length; at += 333) {
    parts.push(...back.push(there.push(speech.subarray(at, at + 333))));
  }
  const same = Float32Array.from(parts);
  expect(speech.length - same.length).toBeLessThan(64);
  expect(stoi(speech.subarray(0, same.length), same, RATE)).toBeGreaterThan(0.99);
});
