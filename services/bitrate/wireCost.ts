import { varintLength } from '../../protocol/varint.js';
import type { ControlSettings, PacketShape } from './types.js';

/** IPv4 and TCP with its time stamps, without options else. */
const TCP_IP_HEADER_BYTES = 52;
/** Payloads up to here have a WebSocket header of 2 bytes, longer ones of 4. */
const MAX_SHORT_PAYLOAD_BYTES = 125;

/** Bytes on the wire of a binary frame of so many bytes, sent by a server in a segment of its own. */
export function wireBytesOf(frameBytes: number): number {
  return TCP_IP_HEADER_BYTES + (frameBytes > MAX_SHORT_PAYLOAD_BYTES ? 4 : 2) + frameBytes;
}

/** Bytes on the wire of a TOKENS frame of that shape; `frameIndex` is that of a frame near it. */
export function packetWireBytes(
  { quantizers, framesPerPacket }: PacketShape,
  { bitsPerCode }: Pick<ControlSettings, 'bitsPerCode'>,
  frameIndex: number,
): number {
  const codeBytes = Math.ceil((framesPerPacket * quantizers * bitsPerCode) / 8);
  const headerBytes = 1 + varintLength(frameIndex) + varintLength(framesPerPacket) + varintLength(quantizers);
  return wireBytesOf(headerBytes + codeBytes);
}

/** Bits a second on the wire of TOKENS frames of that shape. */
export function wireBitsPerSecond(
  shape: PacketShape,
  settings: Pick<ControlSettings, 'bitsPerCode' | 'frameMs'>,
  frameIndex: number,
): number {
  return (
    (8 * 1000 * packetWireBytes(shape, settings, frameIndex)) / (shape.framesPerPacket * settings.frameMs)
  );
}
