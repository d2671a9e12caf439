import { isCodebookSize } from '../bitPacking.js';
import { ByteReader } from '../byteReader.js';
import { ByteWriter } from '../byteWriter.js';
import { crc32c } from '../crc32c.js';
import { TesseraError } from '../errors.js';
import { FRAME_TYPES } from '../frames.js';

/** The first bytes of a file: not ASCII, and with line ends that a transfer in text mode would change. */
export const CONTAINER_MAGIC = Uint8Array.of(0x89, 0x54, 0x53, 0x52, 0x0d, 0x0a, 0x1a, 0x0a);
/** The byte after the magic. */
export const CONTAINER_VERSION = 1;
/** Magic and version: where the header record begins. */
export const PREAMBLE_BYTES = CONTAINER_MAGIC.length + 1;

/** The first byte of a record. TOKENS, CODED and GAP carry the body of the binary frame of that type. */
export const RECORD_TYPES = {
  tokens: FRAME_TYPES.tokens,
  gap: FRAME_TYPES.gap,
  coded: FRAME_TYPES.coded,
  header: 0x10,
  index: 0x11,
  trailer: 0x12,
} as const;

/** What a reader accepts at most; nothing larger is ever allocated. */
export const CONTAINER_LIMITS = {
  maxHeaderBodyBytes: 65_536,
  /** Of every other record. */
  maxBodyBytes: 1_048_576,
  maxQuantizers: 1024,
  maxFramesPerPacket: 65_536,
  maxIndexEntries: 65_536,
  maxMetadataEntries: 256,
} as const;

/** The trailer's body has fixed widths, so that a reader finds it from the end of the file. */
export const TRAILER_BODY_BYTES = 36;
/** Bytes of the CRC-32C that ends every record. */
export const CHECKSUM_BYTES = 4;
/** Type, length in one byte, body, checksum. */
export const TRAILER_RECORD_BYTES = 2 + TRAILER_BODY_BYTES + CHECKSUM_BYTES;

/** What a file says of itself before its first packet. */
export interface ContainerHeader {
  readonly modelName: string;
  readonly modelVersion: string;
  /** SHA-256 that names the model's files, 64 lower-case hex digits. */
  readonly modelDigest: string;
  /** Hz. */
  readonly sampleRate: number;
  /** Samples a frame; frames a second are sampleRate / hop. */
  readonly hop: number;
  readonly codebookSize: number;
  /** The most codebooks that a packet of this file has. */
  readonly quantizers: number;
  /** Samples by which the decoder's output lags: dropped at its front. */
  readonly decoderDelaySamples: number;
  /** Length of the sound in samples at `sampleRate`, where it was known at the start. */
  readonly sampleCount?: number;
  /** Free text about the source: file name, original format, speaker… */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a file says of itself at its end. */
export interface ContainerTrailer {
  /** Frames of the file, those of gaps included. */
  readonly frameCount: number;
  /** TOKENS, CODED and GAP records. */
  readonly recordCount: number;
  /** Length of the sound in samples; absent when the writer did not know it: then all frames are sound. */
  readonly sampleCount?: number;
  /** Where the index record begins. */
  readonly indexByteOffset: number;
  /** CRC-32C of every byte before the trailer. */
  readonly checksum: number;
}

/** A place to start reading: a record and the first frame in it. */
export interface ContainerIndexEntry {
  readonly firstFrameIndex: number;
  readonly byteOffset: number;
}

/** Type, length and body, then the CRC-32C of them. */
export function encodeRecord(type: number, body: Uint8Array): Uint8Array {
  const writer = new ByteWriter().byte(type).varint(body.length).append(body);
  return writer.uint32(crc32c(writer.bytes())).bytes();
}

/** The body of the header record. @throws RangeError when a field is out of range. */
export function encodeHeaderBody(header: ContainerHeader): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(header.modelDigest)) {
    throw new RangeError(`The model digest must be 64 hex digits, not "${header.modelDigest}"`);
  }
  const digest = Uint8Array.from({ length: 32 }, (_, at) =>
    parseInt(header.modelDigest.slice(2 * at, 2 * at + 2), 16),
  );
  const metadata = Object.entries(header.metadata);
  const writer = new ByteWriter()
    .text(header.modelName)
    .text(header.modelVersion)
    .append(digest)
    .varint(header.sampleRate)
    .varint(header.hop)
    .varint(header.codebookSize)
    .varint(header.quantizers)
    .varint(header.decoderDelaySamples)
    .varint(header.sampleCount === undefined ? 0 : header.sampleCount + 1)
    .varint(metadata.length);
  for (const [key, value] of metadata) writer.text(key).text(value);
  const body = writer.bytes();
  if (body.length > CONTAINER_LIMITS.maxHeaderBodyBytes) {
    throw new RangeError(
      `The header takes ${body.length} bytes, above ${CONTAINER_LIMITS.maxHeaderBodyBytes}`,
    );
  }
  try {
    decodeHeaderBody(body);
  } catch (cause) {
    throw new RangeError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  return body;
}

/**
 * Bytes after the last field are left for later versions and skipped.
 * @throws TesseraError `bad_container` that names the field.
 */
export function decodeHeaderBody(body: Uint8Array): ContainerHeader {
  const { maxHeaderBodyBytes, maxQuantizers, maxMetadataEntries } = CONTAINER_LIMITS;
  const reader = new ByteReader(body, 'bad_container', 'The file header');
  const modelName = reader.text('model name', maxHeaderBodyBytes);
  const modelVersion = reader.text('model version', maxHeaderBodyBytes);
  const digest = reader.take('model digest', 32);
  const sampleRate = reader.varint('sample rate', 1, 2 ** 32);
  const hop = reader.varint('hop', 1, 2 ** 32);
  const codebookSize = reader.varint('codebook size');
  if (!isCodebookSize(codebookSize)) throw reader.error(`has the impossible codebook size ${codebookSize}`);
  const quantizers = reader.varint('quantizers', 1, maxQuantizers);
  const decoderDelaySamples = reader.varint('decoder delay', 0, 2 ** 32);
  const sampleCountPlusOne = reader.varint('sample count');
  const entryCount = reader.varint('number of metadata entries', 0, maxMetadataEntries);
  const metadata = new Map<string, string>();
  for (let entry = 0; entry < entryCount; entry += 1) {
    const key = reader.text('metadata key', maxHeaderBodyBytes);
    metadata.set(key, reader.text('metadata value', maxHeaderBodyBytes));
  }
  return {
    modelName,
    modelVersion,
    modelDigest: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''),
    sampleRate,
    hop,
    codebookSize,
    quantizers,
    decoderDelaySamples,
    ...(sampleCountPlusOne === 0 ? {} : { sampleCount: sampleCountPlusOne - 1 }),
    metadata: Object.fromEntries(metadata),
  };
}

/** Count, then for each entry the frames and bytes since the one before. */
export function encodeIndexBody(entries: readonly ContainerIndexEntry[]): Uint8Array {
  const writer = new ByteWriter().varint(entries.length);
  let last: ContainerIndexEntry = { firstFrameIndex: 0, byteOffset: 0 };
  for (const entry of entries) {
    writer.varint(entry.firstFrameIndex - last.firstFrameIndex).varint(entry.byteOffset - last.byteOffset);
    last = entry;
  }
  return writer.bytes();
}

/** Reads the body of the index record. @throws TesseraError `bad_container`. */
export function decodeIndexBody(body: Uint8Array): ContainerIndexEntry[] {
  const reader = new ByteReader(body, 'bad_container', 'The index');
  const entryCount = reader.varint('number of entries', 0, CONTAINER_LIMITS.maxIndexEntries);
  const entries: ContainerIndexEntry[] = [];
  let firstFrameIndex = 0;
  let byteOffset = 0;
  for (let entry = 0; entry < entryCount; entry += 1) {
    const first = entry === 0;
    firstFrameIndex += reader.varint('frame index', first ? 0 : 1, Number.MAX_SAFE_INTEGER - firstFrameIndex);
    byteOffset += reader.varint('byte offset', first ? 0 : 1, Number.MAX_SAFE_INTEGER - byteOffset);
    entries.push({ firstFrameIndex, byteOffset });
  }
  reader.end();
  return entries;
}

/** Four numbers of 8 bytes and the checksum of 4, all of fixed width. */
export function encodeTrailerBody(trailer: ContainerTrailer): Uint8Array {
  return new ByteWriter()
    .uint64(trailer.frameCount)
    .uint64(trailer.recordCount)
    .uint64(trailer.sampleCount === undefined ? 0 : trailer.sampleCount + 1)
    .uint64(trailer.indexByteOffset)
    .uint32(trailer.checksum)
    .bytes();
}

/** Reads the body of the trailer record. @throws TesseraError `bad_container`. */
export function decodeTrailerBody(body: Uint8Array): ContainerTrailer {
  const reader = new ByteReader(body, 'bad_container', 'The trailer');
  const frameCount = reader.uint64('frame count');
  const recordCount = reader.uint64('record count');
  const sampleCountPlusOne = reader.uint64('sample count');
  const indexByteOffset = reader.uint64('index offset');
  const checksum = reader.uint32('checksum');
  reader.end();
  return {
    frameCount,
    recordCount,
    ...(sampleCountPlusOne === 0 ? {} : { sampleCount: sampleCountPlusOne - 1 }),
    indexByteOffset,
    checksum,
  };
}

/** A `bad_container` error about the record at `byteOffset`. */
export function damaged(what: string, byteOffset: number, problem: string, cause?: unknown): TesseraError {
  return new TesseraError('bad_container', `${what} at byte ${byteOffset} is damaged: ${problem}`, { cause });
}
