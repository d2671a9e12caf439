import { CostModel } from '../../../services/engine/costModel.js';
import type { RunFigures } from '../../../services/engine/index.js';

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

  test('the capacity is what full runs of the best length carry, with a reserve', () => {
    // 9 sessions, 40 ms of sound each, in 20 ms: 18 sessions in all, of which 80% are planned for.
    expect(createModel().capacity).toEqual({ sessions: 14, encodeShare: 0.25 });
  });

  test('a longer run counts only within the bound of latency', () => {
    // 2 frames are gathered in 40 ms and run in 20.
    const bound = (maxTurnLatencyMs: number): CostModel =>
      new CostModel(costs, bounds, { frameRate: 50, maxTurnLatencyMs });
    expect(bound(60).capacity.sessions).toBe(14);
    expect(bound(59).capacity.sessions).toBe(7);
  });

  test('runs as measured change nothing, whatever their size', () => {
    const model = createModel();
    observe(model, 1, 1000);
    expect(model.slowdown).toBeCloseTo(1, 6);
    expect(model.capacity.sessions).toBe(14);
  });

  test('a machine that slows down carries less, and more again when it recovers; never none', () => {
    const model = createModel();
    observe(model, 2, 5000);
    expect(model.slowdown).toBeCloseTo(2, 2);
    expect(model.capacity.sessions).toBe(7);
    observe(model, 100, 5000);
    expect(model.capacity.sessions).toBe(1);
    observe(model, 1, 10_000);
    expect(model.capacity.sessions).toBe(14);
  });

  test('runs that were not measured, such as longer ones, teach nothing', () => {
    const model = createModel();
    model.observe({ graph: 'encoder', sessions: 3, frames: 32, durationMs: 10_000 });
    expect(model.slowdown).toBe(1);
  });
});
