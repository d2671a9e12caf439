import { varintLength } from '../../protocol/varint.js';
import type { ControlSettings, PacketShape } from './types.js';

/** IPv4 and TCP with its time stamps, without options else. */
export const TCP_IP_HEADER_BYTES = 52;
/** Of a GAP frame, about: it shares the segment of the packet behind it. */
export const GAP_WIRE_BYTES = 7;
/** For so long TCP waits for a packet to acknowledge a message on, before it sends one of its own: the least of Linux. */
export const DELAYED_ACK_MS = 40;
/** Payloads up to here have a WebSocket header of 2 bytes, longer ones of 4. */
const MAX_SHORT_PAYLOAD_BYTES = 125;
/** The varint of any number of codebooks below 128. */
const QUANTIZERS_BYTES = 1;

/** What sums of whole numbers may be off by, in floating point. */
export const ROUNDING = 1e-6;

/** Bytes on the wire of a binary frame of so many bytes, sent by a server in a segment of its own. */
export function wireBytesOf(frameBytes: number): number {
  return TCP_IP_HEADER_BYTES + (frameBytes > MAX_SHORT_PAYLOAD_BYTES ? 4 : 2) + frameBytes;
}

/** Bytes of a TOKENS frame before its codes; a CODED one has as many, give or take one. */
export function tokensHeaderBytes(frameIndex: number, frameCount: number): number {
  return 1 + varintLength(frameIndex) + varintLength(frameCount) + QUANTIZERS_BYTES;
}

/** Bytes on the wire of a TOKENS frame of that shape; `frameIndex` is that of a frame near it. */
export function packetWireBytes(
  { quantizers, framesPerPacket }: PacketShape,
  { bitsPerCode }: Pick<ControlSettings, 'bitsPerCode'>,
  frameIndex: number,
): number {
  const codeBytes = Math.ceil((framesPerPacket * quantizers * bitsPerCode) / 8);
  return wireBytesOf(tokensHeaderBytes(frameIndex, framesPerPacket) + codeBytes);
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

/** The most codebooks of TOKENS frames of so many frames within a rate on the wire; below 1 where not even one fits. */
export function quantizersWithin(
  bitsPerSecond: number,
  framesPerPacket: number,
  settings: Pick<ControlSettings, 'bitsPerCode' | 'frameMs'>,
  frameIndex: number,
): number {
  const { bitsPerCode, frameMs } = settings;
  const wireBytes = Math.floor((bitsPerSecond * framesPerPacket * frameMs) / 8000 + ROUNDING);
  const shortBytes = Math.min(MAX_SHORT_PAYLOAD_BYTES, wireBytes - TCP_IP_HEADER_BYTES - 2);
  const frameBytes = Math.max(shortBytes, wireBytes - TCP_IP_HEADER_BYTES - 4);
  const codeBytes = frameBytes - tokensHeaderBytes(frameIndex, framesPerPacket);
  const quantizers = Math.floor((8 * codeBytes) / (framesPerPacket * bitsPerCode) + ROUNDING);
  const isWithin = wireBitsPerSecond({ quantizers, framesPerPacket }, settings, frameIndex) <= bitsPerSecond;
  return isWithin ? quantizers : quantizers - 1;
}
