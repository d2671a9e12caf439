/** Something for another thread that carries bytes. */
interface ByteCarrier {
  bytes: Uint8Array;
}

/**
 * Moves the bytes of messages into one buffer of their own, which can be handed to another thread: one for all is much
 * cheaper than one each, and what they were views of (a socket's memory, a batch) stays here.
 * @returns the buffer; undefined when no message has bytes.
 */
export function joinBytes(messages: readonly object[]): ArrayBuffer | undefined {
  const carriers = messages.filter((message): message is ByteCarrier => 'bytes' in message);
  if (carriers.length === 0) return undefined;
  const joined = new Uint8Array(carriers.reduce((total, { bytes }) => total + bytes.length, 0));
  let at = 0;
  for (const carrier of carriers) {
    joined.set(carrier.bytes, at);
    carrier.bytes = joined.subarray(at, (at += carrier.bytes.length));
  }
  return joined.buffer;
}
