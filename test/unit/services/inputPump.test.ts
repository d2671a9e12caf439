import { setImmediate as turn } from 'node:timers/promises';
import { TesseraError } from '../../../protocol/index.js';
import { InputPump } from '../../../services/gateway/inputPump.js';

/** A pump whose items are handled when the test says so. */
function heldPump(maxBytes: number) {
  const handled: string[] = [];
  const pauses: boolean[] = [];
  const errors: unknown[] = [];
  const gates: ((error?: Error) => void)[] = [];
  const pump = new InputPump<string>({
    maxBytes,
    handle: async (item) => {
      await new Promise<void>((resolve, reject) => {
        gates.push((error) => (error ? reject(error) : resolve()));
      });
      handled.push(item);
    },
    onPause: (paused) => pauses.push(paused),
    onError: (error) => errors.push(error),
  });
  const release = async (error?: Error): Promise<void> => {
    gates.shift()?.(error);
    await turn();
  };
  return { pump, handled, pauses, errors, release };
}

describe('InputPump', () => {
  test('handles in order, one at a time', async () => {
    const { pump, handled, release } = heldPump(1e6);
    for (const item of ['a', 'b', 'c']) pump.add(item, 1);
    await release();
    expect(handled).toEqual(['a']);
    await release();
    await release();
    expect(handled).toEqual(['a', 'b', 'c']);
  });

  test('pauses at the bound, and goes on at half of it', async () => {
    const { pump, pauses, release } = heldPump(1000);
    for (let item = 0; item < 4; item += 1) pump.add('x', 250 - 64);
    expect(pauses).toEqual([true]);
    expect(pump.isPaused).toBe(true);
    await release();
    await release();
    expect(pauses).toEqual([true]);
    await release();
    expect(pauses).toEqual([true, false]);
  });

  test('refuses a source that does not pause; tiny items count as well', () => {
    const { pump } = heldPump(1000);
    const flood = (): void => {
      for (let item = 0; item < 1000; item += 1) pump.add('x', 1);
    };
    expect(flood).toThrow(TesseraError);
    expect(flood).toThrow(expect.objectContaining({ code: 'input_overflow' }));
  });

  test('an error ends it: it is told once, nothing more is handled, and the source may go on', async () => {
    const { pump, handled, pauses, errors, release } = heldPump(100);
    pump.add('a', 100);
    pump.add('b', 100);
    const error = new Error('no good');
    await release(error);
    expect(errors).toEqual([error]);
    expect(pauses).toEqual([true, false]);
    pump.add('c', 1);
    await release();
    expect(handled).toEqual([]);
  });

  test('close drops what waits, and a late error of the item under way is nobody’s', async () => {
    const { pump, handled, errors, release } = heldPump(1000);
    pump.add('a', 1);
    pump.add('b', 1);
    pump.close();
    pump.close();
    await release(new Error('too late'));
    expect(errors).toEqual([]);
    expect(handled).toEqual([]);
  });
});
