import { scalarLayer, vectorLayer } from '../../../codec/entropy/hiddenLayer.js';
import { loadEntropyTables } from '../../../codec/entropyTables.js';
import { seededRandom } from '../../../scripts/bench/random.js';

test.each([
  [1, 1],
  [3, 5],
  [4, 8],
  [32, 64],
  [33, 7],
])('vectors give what plain JavaScript gives: %i values of an embedding, %i units', async (E, H) => {
  const released = (await loadEntropyTables())!;
  const random = seededRandom(E * 1000 + H);
  const whole = (most: number): number => Math.floor((2 * random() - 1) * most);
  const quantizers = 3;
  const tables = {
    ...released,
    quantizers,
    embeddingSize: E,
    hiddenSize: H,
    context: Int16Array.from({ length: quantizers * H * 2 * E }, () => whole(32_767)),
    offset: Int32Array.from({ length: quantizers * H }, () => whole(2 ** 31 - 1)),
  };
  const vectors = vectorLayer(tables);
  if (vectors === undefined) throw new Error('This Node has no vectors');
  const plain = scalarLayer(tables);
  let positive = 0;
  for (let quantizer = 0; quantizer < quantizers; quantizer += 1) {
    // Sums that wrap at 32 bits are the same too: damaged tables must not be read differently anywhere.
    for (const most of [100, 32_767]) {
      const context = Int16Array.from({ length: 2 * E }, () => whole(most));
      for (const layer of [plain, vectors]) {
        layer.context.set(context);
        layer.compute(quantizer);
      }
      expect([...vectors.hidden]).toEqual([...plain.hidden]);
      positive += plain.hidden.filter((value) => value > 0).length;
    }
  }
  expect(positive).toBeGreaterThan(0);
});
