/**
 * Cuts decoded sound to its length, which a stream of tokens may tell only at its end: until then the last
 * `heldSamples` are held back. `sampleCount` is asked again for every piece; undefined means that it is not known yet,
 * and at the end that everything is sound. A length known too late may be less than what has been given.
 */
export async function* cutToLength(
  pieces: AsyncIterable<Float32Array>,
  heldSamples: number,
  sampleCount: () => number | undefined,
): AsyncGenerator<Float32Array> {
  let held = new Float32Array(0);
  let given = 0;
  const take = (count: number): Float32Array => {
    const taken = held.subarray(0, count);
    held = held.slice(taken.length);
    given += taken.length;
    return taken;
  };
  for await (const piece of pieces) {
    held = joined(held, piece);
    const known = sampleCount();
    const ready = known === undefined ? held.length - heldSamples : Math.min(held.length, known - given);
    if (ready > 0) yield take(ready);
    if (known !== undefined && given >= known) held = new Float32Array(0);
  }
  const rest = Math.min(held.length, (sampleCount() ?? Infinity) - given);
  if (rest > 0) yield take(rest);
}

function joined(first: Float32Array, second: Float32Array): Float32Array<ArrayBuffer> {
  const both = new Float32Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
