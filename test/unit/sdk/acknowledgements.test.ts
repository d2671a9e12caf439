import type { ClientMessage } from '../../../protocol/clientMessages.js';
import { ackDueMs, Acknowledgements } from '../../../sdk/acknowledgements.js';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function collect(): { said: ClientMessage[]; acknowledgements: Acknowledgements } {
  const said: ClientMessage[] = [];
  return { said, acknowledgements: new Acknowledgements((ack) => said.push(ack)) };
}

test('under rate control the last frames are acknowledged even if no more come', async () => {
  const { said, acknowledgements } = collect();
  const startMs = performance.now();
  for (const nextFrameIndex of [1, 2, 3]) acknowledgements.note(nextFrameIndex, 40, 'adaptive');
  const endMs = performance.now();
  expect(said).toMatchObject([{ type: 'ack', nextFrameIndex: 1, bufferMs: 40 }]);
  while (said.length < 2) await sleep(10);
  // When the last one came, not when it was acknowledged.
  const last = said[1] as { nextFrameIndex: number; arrivalMs: number };
  expect(last.nextFrameIndex).toBe(3);
  expect(last.arrivalMs).toBeGreaterThanOrEqual(startMs);
  expect(last.arrivalMs).toBeLessThanOrEqual(endMs);
  expect(acknowledgements.ageMs).toBeLessThan(performance.now() - endMs);
  await sleep(150);
  expect(said).toHaveLength(2);
});

describe('when to acknowledge', () => {
  // A packet that ends before frame 100 is made at 2000, before 106 at 2120, by the client's clock and on its way.
  const packet = {
    arrivalMs: 2050,
    endFrameIndex: 100,
    frameCount: 6,
    saidMs: 0,
    timing: { frameIndex: 40, atMs: 800, frameMs: 20 },
  };

  test.each([
    ['just before the next packet', {}, 2120],
    ['or the one after', { arrivalMs: 2140 }, 2240],
    ['at once where it is hardly too late', { arrivalMs: 2133 }, 2133],
    ['not again within 200 ms', { saidMs: 1990 }, 2240],
    ['with short packets too', { frameCount: 1, arrivalMs: 2056 }, 2060],
    ['at once behind a gap', { frameCount: 60 }, 2050],
    ['at once where the server has not said when', { timing: undefined }, 2050],
    ['but not within 200 ms', { timing: undefined, saidMs: 1990 }, 2190],
  ])('%s', (_, changes, dueMs) => {
    expect(ackDueMs({ ...packet, ...changes })).toBe(dueMs);
  });
});

test('waits for the time that the server has said', async () => {
  const { said, acknowledgements } = collect();
  const atMs = performance.now() + 100;
  acknowledgements.follow({ frameIndex: 4, atMs, frameMs: 20 });
  for (const nextFrameIndex of [2, 4]) acknowledgements.note(nextFrameIndex, 0, 'adaptive');
  expect(said).toEqual([]);
  while (said.length === 0) await sleep(5);
  const [ack] = said as { nextFrameIndex: number; arrivalMs: number; saidMs: number }[];
  expect(ack!.nextFrameIndex).toBe(4);
  // Packets of 2 frames: the next such time is that of frame 0, 80 ms before that of frame 4.
  expect(ack!.arrivalMs).toBeLessThan(ack!.saidMs);
  expect(ack!.saidMs).toBeGreaterThan(atMs - 82);
});

test('without it one a second is enough', async () => {
  const { said, acknowledgements } = collect();
  for (const nextFrameIndex of [1, 2]) acknowledgements.note(nextFrameIndex, -1);
  await sleep(150);
  expect(said).toMatchObject([{ nextFrameIndex: 1, bufferMs: 0 }]);
});
