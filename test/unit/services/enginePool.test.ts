import { BroadcastChannel } from 'node:worker_threads';
import { Engine, type EngineResult, type EngineSession } from '../../../services/engine/index.js';

const FRAME = 480;

/** A session that keeps its results. */
async function open(
  engine: Engine,
  mode: 'encode' | 'resynth' = 'encode',
): Promise<{ session: EngineSession; results: EngineResult[]; next: (kind: string) => Promise<void> }> {
  const results: EngineResult[] = [];
  let onResult = (): void => undefined;
  const session = await engine.openSession({
    mode,
    onResult: (result) => {
      results.push(result);
      onResult();
    },
  });
  const next = async (kind: string): Promise<void> => {
    while (!results.some((result) => result.kind === kind)) {
      await new Promise<void>((resolve) => (onResult = resolve));
    }
  };
  return { session, results, next };
}

describe('a pool of workers', () => {
  test('a worker that crashes fails its own sessions only, and is replaced', async () => {
    const states: string[] = [];
    const engine = await Engine.start({
      provider: 'cpu',
      threads: 2,
      workerUrl: new URL('../../support/failingWorker.js', import.meta.url),
      onStateChange: (state, error) => states.push(error ? `${state} after a crash` : state),
    });
    expect(engine.workerCount).toBe(2);
    const capacity = engine.capacity;
    const both = [await open(engine), await open(engine)];
    const channel = new BroadcastChannel('tessera-test-crash');
    channel.postMessage(new SharedArrayBuffer(4));
    await Promise.race(both.map(({ next }) => next('failed')));
    expect(engine.state).toBe('ready');
    expect(engine.capacity).toBeLessThan(capacity);
    const [lost, kept] = both.sort((one, other) => other.results.length - one.results.length);
    expect(lost?.results).toEqual([{ kind: 'failed', error: expect.objectContaining({ code: 'internal' }) }]);
    await kept?.session.pushPcm(new Float32Array(2 * FRAME));
    await kept?.next('tokens');

    while (engine.capacity < 2) await new Promise((resolve) => setImmediate(resolve));
    const again = await open(engine);
    await again.session.pushPcm(new Float32Array(2 * FRAME));
    await again.next('tokens');
    expect(states).toEqual(['ready', 'ready after a crash']);
    channel.close();
    await engine.close();
    expect(kept?.results.at(-1)).toMatchObject({ kind: 'failed', error: { code: 'going_away' } });
  });
});

describe('admission', () => {
  test('past what was measured at_capacity, and room again when a session ends', async () => {
    const engine = await Engine.start({ provider: 'cpu', threads: 1 });
    const { capacity } = engine;
    const sessions = [];
    for (let count = 0; count < capacity; count += 1) sessions.push((await open(engine, 'resynth')).session);
    await expect(open(engine, 'resynth')).rejects.toMatchObject({ code: 'at_capacity' });
    // Not even one that costs less: there is no room at all.
    await expect(open(engine, 'encode')).rejects.toMatchObject({ code: 'at_capacity' });
    sessions.pop()?.close();
    await open(engine, 'encode');
    await engine.close();
  });

  test('sessions that come at the same moment count before their first frame', async () => {
    const engine = await Engine.start({ provider: 'cpu', threads: 1 });
    const { capacity } = engine;
    const asked = await Promise.allSettled(
      Array.from({ length: 2 * capacity + 1 }, () => open(engine, 'resynth')),
    );
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(capacity);
    await engine.close();
  });

  test('not where somebody else bounds the sessions', async () => {
    const engine = await Engine.start({ provider: 'cpu', threads: 1, admitsAll: true });
    const sessions = [];
    while (sessions.length <= 2 * engine.capacity) sessions.push(await open(engine));
    expect(sessions.length).toBeGreaterThan(engine.capacity);
    await engine.close();
  });
});
