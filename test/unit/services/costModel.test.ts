import { CostModel } from '../../../services/engine/costModel.js';
import type { RunFigures } from '../../../services/engine/index.js';
import type { RunCost } from '../../../services/engine/runCosts.js';
import { simulateTurns, type Arrivals } from '../../support/turnSimulation.js';

const bounds = { maxBatch: 9, maxFramesPerRun: 2 };
/** A full run of two frames: 5 ms of encoding and 15 ms of decoding. */
const costs = [
  { graph: 'encoder', frames: 1, oneMs: 1, fullMs: 5 },
  { graph: 'decoder', frames: 1, oneMs: 3, fullMs: 15 },
  { graph: 'encoder', frames: 2, oneMs: 2, fullMs: 5 },
  { graph: 'decoder', frames: 2, oneMs: 5, fullMs: 15 },
] as const;

function createModel(): CostModel {
  return new CostModel(costs, bounds, { frameRate: 50, maxTurnLatencyMs: 100 });
}

/** Lets runs of any size take `factor` times what they should. */
function observe(model: CostModel, factor: number, count: number): void {
  for (let at = 0; at < count; at += 1) {
    const shape = {
      graph: 'encoder',
      sessions: 1 + (at % 9),
      frames: 1 + (at % 2),
    } satisfies Partial<RunFigures>;
    model.observe({ ...shape, durationMs: factor * model.expectedMs(shape) });
  }
}

describe('CostModel', () => {
  test('expects between the measured runs what lies between them', () => {
    const model = createModel();
    expect(model.expectedMs({ graph: 'encoder', sessions: 1, frames: 1 })).toBe(1);
    expect(model.expectedMs({ graph: 'encoder', sessions: 5, frames: 1 })).toBe(3);
    expect(model.expectedMs({ graph: 'encoder', sessions: 9, frames: 1 })).toBe(5);
  });

  test('the capacity is what runs of the best length carry, with a reserve', () => {
    const model = createModel();
    observe(model, 1, 5000);
    // 2 frames are 40 ms of sound; a turn may take 33.3 (below): a full run (20 ms) and one of the rest, 7 ms for one session
    // and 1.625 more for each other.
    expect(model.capacity).toEqual({ sessions: 9 + 4, encodeShare: 0.25 });
  });

  test('a turn is short enough for frames that take nearly three of them', () => {
    const bound = (maxTurnLatencyMs: number): number =>
      new CostModel(costs, bounds, { frameRate: 50, maxTurnLatencyMs }).capacity.sessions;
    // 90% of it is for the engine: 60 ms allow turns of 20, which take 16.7 as measured, for the first runs are expected to
    // be longer; 120 ms allow as much as two frames' time does, 34, or 28.3 as measured.
    expect(bound(60)).toBe(6);
    expect(bound(120)).toBe(10);
  });

  test('until runs of sessions have been seen they are expected to be slower than measured ones', () => {
    const model = createModel();
    const atStart = model.capacity.sessions;
    observe(model, 1, 5000);
    expect(model.slowdown).toBeCloseTo(1, 2);
    expect(atStart).toBeLessThan(model.capacity.sessions);
  });

  test('a machine that slows down carries less, and more again when it recovers; never none', () => {
    const model = createModel();
    observe(model, 2, 5000);
    expect(model.slowdown).toBeCloseTo(2, 2);
    expect(model.capacity.sessions).toBe(6);
    observe(model, 100, 5000);
    expect(model.capacity.sessions).toBe(1);
    observe(model, 1, 10_000);
    expect(model.capacity.sessions).toBe(13);
  });

  test('late frames take room away, whatever the runs say, and frames in time give it back', () => {
    const model = createModel();
    observe(model, 1, 5000);
    const wait = (ms: number, turns: number): void => {
      for (let turn = 0; turn < turns; turn += 1) model.observeWaits(Array<number>(10).fill(ms));
    };
    wait(90, 1000);
    expect(model.capacity.sessions).toBe(13);
    // One frame of a hundred may be late.
    for (let turn = 0; turn < 1000; turn += 1) model.observeWaits([91, ...Array<number>(99).fill(20)]);
    expect(model.capacity.sessions).toBe(13);
    wait(91, 1);
    expect(model.capacity.sessions).toBe(11);
    wait(91, 1000);
    expect(model.capacity.sessions).toBe(6);
    wait(20, 2000);
    expect(model.capacity.sessions).toBe(13);
  });

  test('runs that were not measured, such as longer ones, teach nothing', () => {
    const model = createModel();
    model.observe({ graph: 'encoder', sessions: 3, frames: 32, durationMs: 10_000 });
    expect(model.slowdown).toBe(createModel().slowdown);
  });
});

/** Encoding and decoding alike: what a run of one session and a full one cost together, at 1, 2 and 4 frames. */
function table(...rows: readonly (readonly [frames: number, oneMs: number, fullMs: number])[]): RunCost[] {
  return rows.flatMap(([frames, oneMs, fullMs]) =>
    (['encoder', 'decoder'] as const).map((graph) => ({
      graph,
      frames,
      oneMs: oneMs / 2,
      fullMs: fullMs / 2,
    })),
  );
}

describe('simulated workers with as many sessions as admission lets in', () => {
  const CPU = { bounds: { maxBatch: 32, maxFramesPerRun: 4 }, lateMs: 100 };
  const workers = {
    'as measured on two cores of a Xeon': {
      costs: table([1, 5.4, 21], [2, 5.2, 33.5], [4, 6.8, 54.5]),
      ...CPU,
    },
    'twice as slow': {
      costs: table([1, 10.8, 42], [2, 10.4, 67], [4, 13.6, 109]),
      ...CPU,
    },
    'four times as fast': {
      costs: table([1, 1.4, 5.3], [2, 1.3, 8.4], [4, 1.7, 13.6]),
      ...CPU,
    },
    'one where each session costs the same, in any company': {
      costs: table([1, 1, 32], [2, 1.8, 57.6], [4, 3.4, 108.8]),
      ...CPU,
    },
    'one where a run of many costs little more than one, as on a GPU': {
      costs: table([1, 9, 13.7], [2, 9, 14], [4, 9.2, 14.4]),
      bounds: { maxBatch: 256, maxFramesPerRun: 4 },
      lateMs: 160,
    },
    'one without batches': {
      costs: table([1, 4, 4]),
      bounds: { maxBatch: 1, maxFramesPerRun: 1 },
      lateMs: 100,
    },
  };
  const arrivals: Record<string, Arrivals> = {
    'one after the other': { phases: 'even', jitterMs: 0 },
    'all at once': { phases: 'together', jitterMs: 0 },
    'by chance, with jitter': { phases: 'random', jitterMs: 15 },
  };
  const SECONDS = 6;

  describe.each(Object.entries(workers))('%s', (_, { costs: runCosts, bounds: runBounds, lateMs }) => {
    const create = (): CostModel =>
      new CostModel(runCosts, runBounds, { frameRate: 50, maxTurnLatencyMs: lateMs });

    test.each(Object.entries(arrivals))('frames come %s: 99%% are in time', (__, arrival) => {
      // At the start the machine does as it is expected to; later it is known how it does.
      for (const slowdown of [1, 1.2, 1.5]) {
        const model = create();
        if (slowdown > model.slowdown) {
          for (let run = 0; run < 5000; run += 1) {
            const shape = { graph: 'encoder', sessions: runBounds.maxBatch, frames: 1 } as const;
            model.observe({ ...shape, durationMs: slowdown * model.expectedMs(shape) });
          }
        }
        const { sessions } = model.capacity;
        const worker = { costs: runCosts, bounds: runBounds, slowdown };
        const tookMs = simulateTurns(worker, sessions, arrival, SECONDS);
        expect(tookMs.length).toBeGreaterThan(0.95 * SECONDS * 50 * sessions);
        expect(tookMs[Math.floor(0.99 * tookMs.length)]).toBeLessThan(lateMs);
      }
    });

    test('with twice as many they would not be', () => {
      const model = create();
      const worker = { costs: runCosts, bounds: runBounds, slowdown: model.slowdown };
      const sessions = 2 * model.capacity.sessions;
      const tookMs = simulateTurns(worker, sessions, arrivals['one after the other']!, SECONDS);
      expect(tookMs[Math.floor(0.99 * tookMs.length)]).toBeGreaterThan(lateMs);
    });
  });
});
