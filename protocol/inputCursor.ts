import type { AudioFrame } from './frames.js';

/** What an AUDIO frame adds to the input stream. */
export interface AudioPlacement {
  /** Bytes that were lost before the payload; the server puts silence in their place. */
  readonly lostBytes: number;
  /** The part of the payload that is new, maybe nothing: a client may send again what it does not know to have arrived. */
  readonly payload: Uint8Array;
}

/** Places an AUDIO frame in an input stream of which all bytes before `nextByteOffset` have been taken. */
export function placeAudio(frame: AudioFrame, nextByteOffset: number): AudioPlacement {
  const lostBytes = Math.max(0, frame.byteOffset - nextByteOffset);
  const knownBytes = Math.max(0, nextByteOffset - frame.byteOffset);
  return { lostBytes, payload: frame.payload.subarray(Math.min(knownBytes, frame.payload.length)) };
}
