import type { ByteReader } from './byteReader.js';
import type { ByteWriter } from './byteWriter.js';

/**
 * A packet of entropy-coded frames, its payload unread: what a relay handles. `codec/entropy` makes it and turns it into
 * token blocks. Frames may have different numbers of codebooks; the payload knows how many.
 */
export interface CodedRun {
  /** Index, from the start of the stream, of the packet's first frame. */
  readonly firstFrameIndex: number;
  /** At least 1. */
  readonly frameCount: number;
  /** The most codebooks that a frame of the packet has. */
  readonly quantizers: number;
  /** Whether it can be read only behind the packet before it; otherwise it stands alone. */
  readonly isContinued: boolean;
  /** Whether frames differ in their number of codebooks. */
  readonly isVaried: boolean;
  /** Whether relays can cut its codebooks. */
  readonly isCuttable: boolean;
  /** One segment a codebook where the packet can be cut, else one for all. */
  readonly segments: readonly Uint8Array[];
}

/** What a reader of a packet has to know. */
export interface CodedRunLimits {
  readonly maxQuantizers: number;
  readonly maxFramesPerPacket: number;
}

const CONTINUED = 1;
const VARIED = 2;
const CUTTABLE = 4;
/** Frames are counted above the flags, so that a short packet needs one byte for both. */
const FLAG_VALUES = 8;

/**
 * Writes first frame index, frame count with flags, quantizers, and the segments: the CODED body of the wire and the
 * container.
 * @throws RangeError when the frames cannot be counted or the segments are not those of its quantizers.
 */
export function writeCodedBody(writer: ByteWriter, run: CodedRun): void {
  const { firstFrameIndex, frameCount, quantizers, isContinued, isVaried, isCuttable, segments } = run;
  if (frameCount < 1 || !Number.isSafeInteger(firstFrameIndex + frameCount)) {
    throw new RangeError(`${frameCount} frames from index ${firstFrameIndex} cannot be sent`);
  }
  if (quantizers < 1 || segments.length !== (isCuttable ? quantizers : 1)) {
    throw new RangeError(`${segments.length} segments are not those of ${quantizers} quantizers`);
  }
  const flags = (isContinued ? CONTINUED : 0) + (isVaried ? VARIED : 0) + (isCuttable ? CUTTABLE : 0);
  writer
    .varint(firstFrameIndex)
    .varint(frameCount * FLAG_VALUES + flags)
    .varint(quantizers);
  for (const segment of segments.slice(0, -1)) writer.varint(segment.length);
  for (const segment of segments) writer.append(segment);
}

/** Reads what {@link writeCodedBody} wrote, to the end of the reader. Segments are views. */
export function readCodedBody(reader: ByteReader, limits: CodedRunLimits): CodedRun {
  const firstFrameIndex = reader.varint('first frame index');
  const counted = reader.varint(
    'frame count',
    FLAG_VALUES,
    (limits.maxFramesPerPacket + 1) * FLAG_VALUES - 1,
  );
  const frameCount = Math.floor(counted / FLAG_VALUES);
  const flags = counted % FLAG_VALUES;
  if (!Number.isSafeInteger(firstFrameIndex + frameCount)) throw reader.error('ends above index 2^53 - 1');
  const quantizers = reader.varint('quantizers', 1, limits.maxQuantizers);
  const lengths: number[] = [];
  if ((flags & CUTTABLE) !== 0) {
    for (let each = 1; each < quantizers; each += 1) lengths.push(reader.varint('length of a segment'));
  }
  const segments = lengths.map((length) => reader.take('a segment', length));
  segments.push(reader.rest());
  return {
    firstFrameIndex,
    frameCount,
    quantizers,
    isContinued: (flags & CONTINUED) !== 0,
    isVaried: (flags & VARIED) !== 0,
    isCuttable: (flags & CUTTABLE) !== 0,
    segments,
  };
}

/**
 * The same frames with at most `quantizers` codebooks each, by the header alone. Later packets up to the next one that
 * stands alone must be cut to as many or fewer.
 * @throws RangeError for a packet that was not made to be cut.
 */
export function cutCodedRun(run: CodedRun, quantizers: number): CodedRun {
  if (quantizers >= run.quantizers) return run;
  if (!run.isCuttable) throw new RangeError('This packet was not made to be cut');
  return { ...run, quantizers, segments: run.segments.slice(0, quantizers) };
}
