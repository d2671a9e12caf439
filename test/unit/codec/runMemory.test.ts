import { CodecModel } from '../../../codec/index.js';
import { elementCount } from '../../../codec/manifest.js';
import { DecoderBatch, EncoderBatch } from '../../../codec/runtime/batch.js';

const ROWS = 4;
const RUNS = 8;
let model: CodecModel;

beforeEach(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
});

afterEach(() => model.close());

/** The most that one of several runs leaves behind outside of the heap, in bytes. */
async function mostLeftBehind(run: () => Promise<void>): Promise<number> {
  // The first one makes the tensors of its shape.
  await run();
  const left: number[] = [];
  for (let count = 0; count < RUNS; count += 1) {
    const before = process.memoryUsage().external;
    await run();
    left.push(process.memoryUsage().external - before);
  }
  return Math.max(...left);
}

test('a run leaves none of its outputs to the garbage collector, and spares the memory that it was given', async () => {
  const { manifest } = model;
  const stateBytes = (side: 'encoder' | 'decoder'): number =>
    manifest[side].states.reduce(
      (total, { shape, type }) => total + (type === 'int8' ? 1 : 4) * elementCount(shape),
      0,
    );
  const encoders = new EncoderBatch(manifest, ROWS, 1);
  encoders.pcm.forEach((_, at) => (encoders.pcm[at] = Math.sin(at * at) / 4));
  const decoders = new DecoderBatch(manifest, ROWS, 1);
  expect(await mostLeftBehind(() => model.runEncoder(encoders, ROWS, 1))).toBeLessThan(stateBytes('encoder'));
  expect(await mostLeftBehind(() => model.runDecoder(decoders, ROWS, 1))).toBeLessThan(stateBytes('decoder'));
  expect(encoders.codes.some((code) => code > 0)).toBe(true);
  expect(encoders.nextStates[0]?.some((value) => value !== 0)).toBe(true);
});
