/**
 * Cuts samples that come in pieces of any length into packets of exactly `packetSamples`, the last maybe shorter. So a
 * recording gives the same packets whether it comes from a file or through a pipe.
 */
export async function* packetsOf(
  source: AsyncIterable<Float32Array>,
  packetSamples: number,
): AsyncGenerator<Float32Array> {
  let packet = new Float32Array(packetSamples);
  let filled = 0;
  for await (const piece of source) {
    for (let taken = 0; taken < piece.length;) {
      const part = piece.subarray(taken, taken + packetSamples - filled);
      packet.set(part, filled);
      filled += part.length;
      taken += part.length;
      if (filled === packetSamples) {
        yield packet;
        packet = new Float32Array(packetSamples);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield packet.subarray(0, filled);
}
