import { compileLiteRt } from '../../../scripts/bench/rivals/liteRt.js';
import { lyraRival } from '../../../scripts/bench/rivals/lyra.js';

test('the LiteRT runtime loads in Node, refuses what is no model, and leaves no sign of a browser behind', async () => {
  await expect(compileLiteRt('test/fixtures/speech-de-1.wav')).rejects.toThrow();
  await expect(compileLiteRt('test/fixtures/missing.tflite')).rejects.toThrow('ENOENT');
  expect(globalThis).not.toHaveProperty('importScripts');
  expect(globalThis).not.toHaveProperty('self');
});

test('Lyra has its three bitrates where its models are named, and says so where they are not', async () => {
  expect(lyraRival(undefined)).toMatchObject({
    rows: [],
    absence: 'its model files are named by --lyra FOLDER',
  });
  const { rows } = lyraRival('test/fixtures');
  expect(rows.map(({ name }) => name)).toEqual(['Lyra v2 3.2', 'Lyra v2 6', 'Lyra v2 9.2']);
  await expect(rows[0]?.code(new Float32Array(2400), 24_000)).rejects.toThrow('soundstream_encoder.tflite');
});
