import { bitsPerCode, packCodes, packedLength, unpackCodes } from './bitPacking.js';
import { ByteReader } from './byteReader.js';
import { ByteWriter } from './byteWriter.js';
import { readCodedBody, writeCodedBody, type CodedRun } from './codedRun.js';
import { TesseraError } from './errors.js';
import type { TokenBlock } from './tokens.js';

/** The first byte of a binary frame. Bytes that are not listed are refused with `bad_frame`. */
export const FRAME_TYPES = { audio: 0x01, tokens: 0x02, pcm: 0x03, gap: 0x04, coded: 0x05 } as const;

/** Why frames are missing, by the byte on the wire. */
export const GAP_REASONS = {
  /** The sender gives no reason, or one that this reader does not know. */
  unspecified: 0,
  /** The input of these frames never reached the codec. */
  input_lost: 1,
  /** They were made and dropped, for their reader was too slow. */
  output_dropped: 2,
  /** They were made while the client was away and are no longer held. */
  resume_lost: 3,
} as const;

/** A name of {@link GAP_REASONS}. */
export type GapReason = keyof typeof GAP_REASONS;

/** Client to server: a piece of the input stream, cut anywhere, in the format of the `open` message. */
export interface AudioFrame {
  readonly kind: 'audio';
  /** Position in the session's input stream of the first byte of `payload`. */
  readonly byteOffset: number;
  /** At least one byte. */
  readonly payload: Uint8Array;
}

/** Both ways: frames of tokens. */
export interface TokensFrame extends TokenBlock {
  readonly kind: 'tokens';
}

/** Both ways, where it was agreed: frames of tokens, entropy-coded. */
export interface CodedFrame extends CodedRun {
  readonly kind: 'coded';
}

/** Server to client: mono samples at the model's rate, in the output format of the `open` message. */
export interface PcmFrame {
  readonly kind: 'pcm';
  /** Position in the output of the first sample; sample n of the output answers sample n of the input. */
  readonly firstSampleIndex: number;
  /** At least one sample; `decodePcm` reads it. */
  readonly payload: Uint8Array;
}

/** Both ways: frames that will not come. */
export interface GapFrame {
  readonly kind: 'gap';
  readonly firstFrameIndex: number;
  /** At least 1. */
  readonly frameCount: number;
  readonly reason: GapReason;
}

/** What a client sends. */
export type ClientFrame = AudioFrame | TokensFrame | CodedFrame | GapFrame;
/** What a server sends. */
export type ServerFrame = TokensFrame | CodedFrame | PcmFrame | GapFrame;
/** Any binary frame; `kind` tells which. */
export type Frame = ClientFrame | ServerFrame;

/** What a decoder has to know of the session: the model's figures and the limits of the `opened` message. */
export interface FrameContext {
  readonly codebookSize: number;
  /** Codebooks of the model: no frame has more. */
  readonly maxQuantizers: number;
  readonly maxFramesPerPacket: number;
  /** Length of a whole binary frame. */
  readonly maxFrameBytes: number;
}

/**
 * The bytes of a binary frame. TOKENS frames need the model's codebook size.
 * @throws RangeError when a field is out of range: a fault of the caller, not of the peer.
 */
export function encodeFrame(frame: Frame, context: Pick<FrameContext, 'codebookSize'>): Uint8Array {
  const writer = new ByteWriter('payload' in frame ? frame.payload.length : 0);
  writer.byte(FRAME_TYPES[frame.kind]);
  switch (frame.kind) {
    case 'audio':
      assertFilled(frame.payload);
      return writer.varint(frame.byteOffset).append(frame.payload).bytes();
    case 'pcm':
      assertFilled(frame.payload);
      return writer.varint(frame.firstSampleIndex).append(frame.payload).bytes();
    case 'tokens':
      writeTokensBody(writer, frame, context.codebookSize);
      return writer.bytes();
    case 'coded':
      writeCodedBody(writer, frame);
      return writer.bytes();
    case 'gap':
      writeGapBody(writer, frame);
      return writer.bytes();
  }
}

/**
 * Reads a binary frame of either direction. Payloads are views of `bytes`; codes are unpacked into a new array.
 * @throws TesseraError `bad_frame` (unknown type, malformed or out-of-range field, bytes too many or too few),
 * `bad_tokens` (codes outside the codebook), `frame_too_large`.
 */
export function decodeFrame(bytes: Uint8Array, context: FrameContext): Frame {
  if (bytes.length > context.maxFrameBytes) {
    throw new TesseraError(
      'frame_too_large',
      `A binary frame of ${bytes.length} bytes is above the limit of ${context.maxFrameBytes}; send smaller frames`,
    );
  }
  const [type] = bytes;
  const body = bytes.subarray(1);
  switch (type) {
    case FRAME_TYPES.audio: {
      const reader = new ByteReader(body, 'bad_frame', 'The AUDIO frame');
      const byteOffset = reader.varint('byte offset');
      return { kind: 'audio', byteOffset, payload: readPayload(reader, byteOffset) };
    }
    case FRAME_TYPES.pcm: {
      const reader = new ByteReader(body, 'bad_frame', 'The PCM frame');
      const firstSampleIndex = reader.varint('first sample index');
      return { kind: 'pcm', firstSampleIndex, payload: readPayload(reader, firstSampleIndex) };
    }
    case FRAME_TYPES.tokens:
      return {
        kind: 'tokens',
        ...readTokensBody(new ByteReader(body, 'bad_frame', 'The TOKENS frame'), context),
      };
    case FRAME_TYPES.coded:
      return {
        kind: 'coded',
        ...readCodedBody(new ByteReader(body, 'bad_frame', 'The CODED frame'), context),
      };
    case FRAME_TYPES.gap:
      return { kind: 'gap', ...readGapBody(new ByteReader(body, 'bad_frame', 'The GAP frame')) };
    case undefined:
      throw new TesseraError('bad_frame', 'A binary frame must have at least its type byte');
    default:
      throw new TesseraError(
        'bad_frame',
        `Unknown binary frame type 0x${type.toString(16).padStart(2, '0')}`,
      );
  }
}

/** {@link decodeFrame} for a server: refuses, with `bad_frame`, what only a server sends. */
export function decodeClientFrame(bytes: Uint8Array, context: FrameContext): ClientFrame {
  const frame = decodeFrame(bytes, context);
  if (frame.kind === 'pcm')
    throw new TesseraError('bad_frame', 'PCM frames go from server to client only; send AUDIO');
  return frame;
}

/** {@link decodeFrame} for a client: refuses, with `bad_frame`, what only a client sends. */
export function decodeServerFrame(bytes: Uint8Array, context: FrameContext): ServerFrame {
  const frame = decodeFrame(bytes, context);
  if (frame.kind === 'audio')
    throw new TesseraError('bad_frame', 'AUDIO frames go from client to server only');
  return frame;
}

/** Writes first frame index, frame count, quantizers and packed codes: the TOKENS body of the wire and the container. */
export function writeTokensBody(writer: ByteWriter, block: TokenBlock, codebookSize: number): void {
  const { firstFrameIndex, frameCount, quantizers, codes } = block;
  assertRun(firstFrameIndex, frameCount);
  if (quantizers < 1 || codes.length !== frameCount * quantizers) {
    throw new RangeError(`${codes.length} codes are not ${quantizers} codebooks of ${frameCount} frames`);
  }
  writer.varint(firstFrameIndex).varint(frameCount).varint(quantizers);
  packCodes(codes, codebookSize, writer.reserve(packedLength(codes.length, codebookSize)));
}

/** Reads what {@link writeTokensBody} wrote, to the end of the reader. */
export function readTokensBody(
  reader: ByteReader,
  limits: Pick<FrameContext, 'codebookSize' | 'maxQuantizers' | 'maxFramesPerPacket'>,
): TokenBlock {
  const firstFrameIndex = reader.varint('first frame index');
  const frameCount = reader.varint('frame count', 1, limits.maxFramesPerPacket);
  assertIndexable(reader, firstFrameIndex, frameCount);
  const quantizers = reader.varint('quantizers', 1, limits.maxQuantizers);
  const codeCount = frameCount * quantizers;
  const payload = reader.take('codes', Math.ceil((codeCount * bitsPerCode(limits.codebookSize)) / 8));
  reader.end();
  return {
    firstFrameIndex,
    frameCount,
    quantizers,
    codes: unpackCodes(payload, codeCount, limits.codebookSize),
  };
}

/** Writes first frame index, frame count and reason: the GAP body of the wire and the container. */
export function writeGapBody(writer: ByteWriter, gap: Omit<GapFrame, 'kind'>): void {
  assertRun(gap.firstFrameIndex, gap.frameCount);
  writer.varint(gap.firstFrameIndex).varint(gap.frameCount).byte(GAP_REASONS[gap.reason]);
}

/** Reads what {@link writeGapBody} wrote, to the end of the reader. Reasons of later versions read as `unspecified`. */
export function readGapBody(reader: ByteReader): Omit<GapFrame, 'kind'> {
  const firstFrameIndex = reader.varint('first frame index');
  const frameCount = reader.varint('frame count', 1);
  assertIndexable(reader, firstFrameIndex, frameCount);
  const reasonByte = reader.byte('reason');
  reader.end();
  return { firstFrameIndex, frameCount, reason: gapReasonOf(reasonByte) };
}

function gapReasonOf(byte: number): GapReason {
  for (const [name, value] of Object.entries(GAP_REASONS)) if (value === byte) return name as GapReason;
  return 'unspecified';
}

function readPayload(reader: ByteReader, position: number): Uint8Array {
  const payload = reader.rest();
  if (payload.length === 0) throw reader.error('has no payload');
  assertIndexable(reader, position, payload.length);
  return payload;
}

/** A run must end at an index that still is a safe integer, or the next one could not be named. */
function assertIndexable(reader: ByteReader, first: number, count: number): void {
  if (!Number.isSafeInteger(first + count)) throw reader.error('ends above index 2^53 - 1');
}

function assertRun(firstFrameIndex: number, frameCount: number): void {
  if (frameCount < 1 || !Number.isSafeInteger(firstFrameIndex + frameCount)) {
    throw new RangeError(`${frameCount} frames from index ${firstFrameIndex} cannot be sent`);
  }
}

function assertFilled(payload: Uint8Array): void {
  if (payload.length === 0) throw new RangeError('A frame without payload cannot be sent');
}
