import type { ClientMessage } from '../../../protocol/clientMessages.js';
import { Acknowledgements } from '../../../sdk/acknowledgements.js';

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

test('without it one a second is enough', async () => {
  const { said, acknowledgements } = collect();
  for (const nextFrameIndex of [1, 2]) acknowledgements.note(nextFrameIndex, -1);
  await sleep(150);
  expect(said).toMatchObject([{ nextFrameIndex: 1, bufferMs: 0 }]);
});
