import { SessionPace } from '../../../services/engine/sessionPace.js';
import {
  MAX_GATHER_MS,
  MAX_HOLD_MS,
  planTurn,
  type Candidate,
} from '../../../services/engine/turnPlanner.js';

interface FakeSession extends Candidate {
  readonly name: string;
}

const FRAME_RATE = 50;
const bounds = { maxFramesPerRun: 4 };

/** A session with so many frames ready since `waitingSinceMs`. */
function session(name: string, frames: number, waitingSinceMs = 0): FakeSession {
  return {
    name,
    input: { readyFrames: (maxFrames) => Math.min(frames, maxFrames) },
    pace: new SessionPace(FRAME_RATE, 0),
    waitingSinceMs: frames === 0 ? undefined : waitingSinceMs,
  };
}

/** One that has had far more than real time. */
function greedySession(name: string): FakeSession {
  const greedy = session(name, 50);
  greedy.pace.spend(100);
  return greedy;
}

/** The plan as text: who runs and how many frames of each. */
function plan(sessions: readonly FakeSession[], nowMs: number, busyShare = 0, maxBatch = 4): string {
  const planned = planTurn(sessions, { ...bounds, maxBatch }, nowMs, busyShare);
  if (planned.kind !== 'run') return planned.kind;
  return planned.shares.map(({ session: { name }, frames }) => `${name}${frames}`).join(' ');
}

describe('planTurn', () => {
  test('is idle when nothing is ready', () => {
    expect(plan([], 0)).toBe('idle');
    expect(plan([session('a', 0), session('b', 0)], 0, 1)).toBe('idle');
  });

  test('takes those served longest ago, up to the batch, and leaves out who has nothing', () => {
    const sessions = [
      session('a', 1),
      session('b', 0),
      ...['c', 'd', 'e', 'f'].map((name) => session(name, 1)),
    ];
    expect(plan(sessions, 0)).toBe('a1 c1 d1 e1');
  });

  test('takes 1, 2 or 4 frames, as most sessions have them', () => {
    const have = (...frames: number[]): string =>
      plan(
        frames.map((count, index) => session('abcd'[index] ?? '', count)),
        MAX_HOLD_MS,
      );
    expect(have(1, 1, 1, 1)).toBe('a1 b1 c1 d1');
    expect(have(3, 2, 2, 2)).toBe('a2 b2 c2 d2');
    expect(have(9, 5, 4, 7)).toBe('a4 b4 c4 d4');
    expect(have(1, 1, 1, 9)).toBe('a1 b1 c1 d1');
  });

  test('one with fewer frames than the rest is held for its next frame, but not beyond the bound', () => {
    const sessions = [session('a', 1, 100), session('b', 2, 100), session('c', 2, 100)];
    expect(plan(sessions, 100 + MAX_HOLD_MS - 1)).toBe('b2 c2');
    expect(plan(sessions, 100 + MAX_HOLD_MS)).toBe('a1 b2 c2');
  });

  test('a busy worker waits for company, within the bound; an idle one, or a full turn, does not', () => {
    const sessions = [session('a', 1, 10), session('b', 0), session('c', 0)];
    expect(plan(sessions, 10, 0.9)).toBe('gather');
    expect(plan(sessions, 10 + MAX_GATHER_MS, 0.9)).toBe('a1');
    expect(plan(sessions, 10, 0.1)).toBe('a1');
    expect(plan([session('a', 1, 10)], 10, 0.9)).toBe('a1');
  });

  test('who is ahead of real time waits for those who are not, and runs when they have nothing', () => {
    const ahead = ['x', 'y'].map(greedySession);
    expect(plan([...ahead, session('a', 1)], 0)).toBe('a1');
    expect(plan([...ahead, session('a', 0)], 0)).toBe('x1');
  });

  test('runs of who is ahead are small, so that a frame in time that comes then waits little', () => {
    const ahead = ['x', 'y', 'z'].map(greedySession);
    const runs = [4, 16, 32, 48, 64].map((maxBatch) => plan(ahead, 0, 0, maxBatch));
    expect(runs).toEqual(['x1', 'x2', 'x4', 'x4 y2', 'x4 y4']);
    expect(plan(ahead, 0, 0, 24)).toBe('x2 y1');
  });

  test('who is ahead does not make a worker busier beside others; alone it may have all of it', () => {
    const ahead = ['x', 'y'].map(greedySession);
    expect(plan([...ahead, session('a', 0)], 0, 0.79)).toBe('x1');
    expect(plan([...ahead, session('a', 0)], 0, 0.81)).toBe('gather');
    expect(plan(ahead, 0, 1)).toBe('x1');
  });

  test('who was ahead gets its real-time share again, whatever the others do', () => {
    const greedy = greedySession('x');
    const others = ['a', 'b'].map((name) => session(name, 1));
    expect(plan([greedy, ...others], 0)).toBe('a1 b1');
    expect(plan([greedy, ...others], 200)).toContain('x');
  });
});

describe('SessionPace', () => {
  test('at real time a session is never ahead', () => {
    const pace = new SessionPace(FRAME_RATE, 0);
    for (let nowMs = 0; nowMs < 10_000; nowMs += 20) {
      pace.spend(1);
      expect(pace.isAhead(nowMs)).toBe(false);
    }
  });

  test('at twice real time it soon is, half of the time', () => {
    const pace = new SessionPace(FRAME_RATE, 0);
    let served = 0;
    for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
      if (pace.isAhead(nowMs)) continue;
      pace.spend(1);
      served += 1;
    }
    expect(served).toBeGreaterThanOrEqual(500);
    expect(served).toBeLessThan(530);
  });
});
