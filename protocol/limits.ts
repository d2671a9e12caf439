/**
 * Bounds of `tessera.v1` itself, the same for every server. What a server may choose (frame bytes, buffers, timeouts)
 * stands in `limits` of its `opened` message.
 */
export const PROTOCOL_LIMITS = {
  /** UTF-8 bytes of a JSON control message. */
  maxMessageBytes: 65_536,
  /** Longest string in a control message, in UTF-16 units. */
  maxStringLength: 4096,
  minSampleRate: 8000,
  maxSampleRate: 192_000,
  maxChannels: 32,
  /** Under rate control, a client acknowledges what has come at once, but not more often than this. */
  ackIntervalMs: 200,
} as const;

/** The protocol's version, as in the `open` message. */
export const PROTOCOL_VERSION = 1;

/** The WebSocket subprotocol of {@link PROTOCOL_VERSION}. */
export const SUBPROTOCOL = 'tessera.v1';

/** The subprotocol to answer a handshake with, or undefined when none that the client offers is spoken here. */
export function selectSubprotocol(offered: Iterable<string>): string | undefined {
  for (const name of offered) if (name === SUBPROTOCOL) return name;
  return undefined;
}
