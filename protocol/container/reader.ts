import { ByteReader, readUint32 } from '../byteReader.js';
import { crc32c } from '../crc32c.js';
import { TesseraError } from '../errors.js';
import { readGapBody, readTokensBody, type GapFrame } from '../frames.js';
import { readCodedBody, type CodedRun } from '../codedRun.js';
import type { TokenBlock } from '../tokens.js';
import { readVarint } from '../varint.js';
import { ByteQueue } from './byteQueue.js';
import {
  CHECKSUM_BYTES,
  CONTAINER_LIMITS,
  CONTAINER_MAGIC,
  CONTAINER_VERSION,
  damaged,
  decodeHeaderBody,
  decodeIndexBody,
  decodeTrailerBody,
  PREAMBLE_BYTES,
  RECORD_TYPES,
  TRAILER_BODY_BYTES,
  TRAILER_RECORD_BYTES,
  type ContainerHeader,
  type ContainerIndexEntry,
  type ContainerTrailer,
} from './format.js';

/** Where a record lies in the file, checksum included. */
export interface RecordPlace {
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** What a file gives, in this order: header, then packets and gaps, then index, then end. */
export type ContainerEvent =
  | ({ readonly kind: 'header'; readonly header: ContainerHeader } & RecordPlace)
  | ({ readonly kind: 'tokens'; readonly block: TokenBlock } & RecordPlace)
  /** Its codes take the entropy tables of the model. */
  | ({ readonly kind: 'coded'; readonly run: CodedRun } & RecordPlace)
  | ({ readonly kind: 'gap'; readonly gap: Omit<GapFrame, 'kind'> } & RecordPlace)
  | ({ readonly kind: 'index'; readonly entries: readonly ContainerIndexEntry[] } & RecordPlace)
  | ({ readonly kind: 'end'; readonly trailer: ContainerTrailer } & RecordPlace);

/** `preamble` and `header` are awaited, then `records` until the index, then the `trailer`. */
type ReaderState = 'preamble' | 'header' | 'records' | 'trailer' | 'complete' | 'failed';

/**
 * Reads a `.tsr` file as its bytes come: `push` what there is, then `read` until it gives undefined; after the last
 * byte call `end`. Every length is checked before anything is allocated for it.
 */
export class ContainerReader {
  readonly #queue = new ByteQueue();
  #state: ReaderState = 'preamble';
  #failure: TesseraError | undefined;
  #header: ContainerHeader | undefined;
  #byteOffset = 0;
  /** Of all bytes before `#byteOffset`; undefined when reading began in the middle. */
  #checksum: number | undefined = 0;
  #nextFrameIndex = 0;
  #recordCount = 0;
  #indexByteOffset = 0;

  /** A reader for the bytes from an index entry on. It cannot check the whole file's checksum and counts. */
  static at(header: ContainerHeader, entry: ContainerIndexEntry): ContainerReader {
    const reader = new ContainerReader();
    reader.#state = 'records';
    reader.#header = header;
    reader.#byteOffset = entry.byteOffset;
    reader.#nextFrameIndex = entry.firstFrameIndex;
    reader.#checksum = undefined;
    return reader;
  }

  /** The file's header, once it was read. */
  get header(): ContainerHeader | undefined {
    return this.#header;
  }

  /** Frames read so far, gaps included. */
  get nextFrameIndex(): number {
    return this.#nextFrameIndex;
  }

  /** Takes the next bytes of the file; they are copied. */
  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  /**
   * The next event, or undefined until more bytes come.
   * @throws TesseraError `bad_container` that names the packet and its byte offset; after that always the same.
   */
  read(): ContainerEvent | undefined {
    if (this.#failure) throw this.#failure;
    try {
      if (this.#state === 'preamble' && !this.#readPreamble()) return undefined;
      return this.#readRecord();
    } catch (error) {
      this.#state = 'failed';
      this.#failure = TesseraError.from(error, 'bad_container');
      throw this.#failure;
    }
  }

  /**
   * Says how the file ended, when no bytes are left to push and `read` has given undefined: undefined after its
   * trailer, else a `truncated_container` warning. What was read until then is sound.
   * @throws TesseraError `bad_container` when the file is whole but a damaged length swallowed its end.
   */
  end(): TesseraError | undefined {
    if (this.#failure) throw this.#failure;
    if (this.#state === 'complete') return undefined;
    const rest = this.#queue.peek(this.#queue.length) ?? new Uint8Array();
    const tail = rest.subarray(-TRAILER_RECORD_BYTES);
    if (isTrailerRecord(tail)) {
      this.#failure = damaged(
        this.#recordName(),
        this.#byteOffset,
        'its length reaches beyond the end of the file',
      );
      throw this.#failure;
    }
    const whole = this.#header
      ? `after ${this.#nextFrameIndex} whole frames (byte ${this.#byteOffset})`
      : 'before its header was complete';
    return new TesseraError('truncated_container', `The file is cut off ${whole}: the rest is missing`);
  }

  #readPreamble(): boolean {
    const bytes = this.#queue.peek(Math.min(PREAMBLE_BYTES, this.#queue.length)) ?? new Uint8Array();
    if (CONTAINER_MAGIC.some((expected, at) => at < bytes.length && bytes[at] !== expected)) {
      throw new TesseraError('bad_container', 'This is no .tsr file: its first bytes are not those of one');
    }
    if (bytes.length < PREAMBLE_BYTES) return false;
    const version = bytes[PREAMBLE_BYTES - 1];
    if (version !== CONTAINER_VERSION) {
      throw new TesseraError(
        'bad_container',
        `The file has container version ${version}; this reader knows version ${CONTAINER_VERSION}`,
      );
    }
    this.#consume(bytes);
    this.#state = 'header';
    return true;
  }

  #readRecord(): ContainerEvent | undefined {
    const head = this.#queue.peek(Math.min(this.#queue.length, 9));
    const type = head?.[0];
    if (head === undefined || type === undefined) return undefined;
    if (this.#state === 'complete') throw this.#damaged('there are bytes after the trailer');
    if (!this.#expectedTypes().includes(type)) {
      throw this.#damaged(`a record of type 0x${type.toString(16).padStart(2, '0')} has no place here`);
    }
    const length = this.#readLength(head, type);
    if (length === undefined) return undefined;
    const byteLength = length.nextOffset + length.value + CHECKSUM_BYTES;
    const record = this.#queue.peek(byteLength);
    if (record === undefined) return undefined;
    const sumOffset = byteLength - CHECKSUM_BYTES;
    if (crc32c(record.subarray(0, sumOffset)) !== readUint32(record, sumOffset)) {
      throw this.#damaged('its checksum does not match');
    }
    const place = { byteOffset: this.#byteOffset, byteLength };
    const event = this.#interpret(type, record.subarray(length.nextOffset, sumOffset), place);
    this.#consume(record);
    return event;
  }

  #expectedTypes(): readonly number[] {
    if (this.#state === 'header') return [RECORD_TYPES.header];
    if (this.#state === 'trailer') return [RECORD_TYPES.trailer];
    return [RECORD_TYPES.tokens, RECORD_TYPES.coded, RECORD_TYPES.gap, RECORD_TYPES.index];
  }

  #readLength(head: Uint8Array, type: number): { value: number; nextOffset: number } | undefined {
    let length;
    try {
      length = readVarint(head, 1, 'bad_container');
    } catch (cause) {
      throw this.#damaged('its length is malformed', cause);
    }
    if (length === undefined) return undefined;
    const { maxHeaderBodyBytes, maxBodyBytes } = CONTAINER_LIMITS;
    const limit = type === RECORD_TYPES.header ? maxHeaderBodyBytes : maxBodyBytes;
    if (length.value > limit || (type === RECORD_TYPES.trailer && length.value !== TRAILER_BODY_BYTES)) {
      throw this.#damaged(`its length of ${length.value} bytes is impossible`);
    }
    return length;
  }

  /** Reads a body whose checksum is right. What it still may hold against is a faulty writer, not a bit flip. */
  #interpret(type: number, body: Uint8Array, place: RecordPlace): ContainerEvent {
    if (type === RECORD_TYPES.header) {
      this.#header = decodeHeaderBody(body);
      this.#state = 'records';
      return { kind: 'header', header: this.#header, ...place };
    }
    const header = this.#header;
    if (header === undefined) throw this.#damaged('no header stands before it');
    const name = `${this.#recordName()} at byte ${place.byteOffset}`;
    const limits = {
      codebookSize: header.codebookSize,
      maxQuantizers: header.quantizers,
      maxFramesPerPacket: CONTAINER_LIMITS.maxFramesPerPacket,
    };
    switch (type) {
      case RECORD_TYPES.coded: {
        const run = readCodedBody(new ByteReader(body, 'bad_container', name), limits);
        if (run.isContinued) throw this.#damaged('it continues another packet');
        this.#account(run);
        return { kind: 'coded', run, ...place };
      }
      case RECORD_TYPES.tokens: {
        const block = this.#asDamage(() =>
          readTokensBody(new ByteReader(body, 'bad_container', name), limits),
        );
        this.#account(block);
        return { kind: 'tokens', block, ...place };
      }
      case RECORD_TYPES.gap: {
        const gap = readGapBody(new ByteReader(body, 'bad_container', name));
        this.#account(gap);
        return { kind: 'gap', gap, ...place };
      }
      case RECORD_TYPES.index:
        this.#indexByteOffset = place.byteOffset;
        this.#state = 'trailer';
        return { kind: 'index', entries: decodeIndexBody(body), ...place };
      default: {
        const trailer = decodeTrailerBody(body);
        this.#checkTrailer(trailer, header);
        this.#state = 'complete';
        return { kind: 'end', trailer, ...place };
      }
    }
  }

  /** Frames follow each other without a hole and without overlap. */
  #account(run: { firstFrameIndex: number; frameCount: number }): void {
    if (run.firstFrameIndex !== this.#nextFrameIndex) {
      throw this.#damaged(
        `it starts at frame ${run.firstFrameIndex}, but frame ${this.#nextFrameIndex} is next`,
      );
    }
    this.#nextFrameIndex += run.frameCount;
    this.#recordCount += 1;
  }

  #checkTrailer(trailer: ContainerTrailer, header: ContainerHeader): void {
    if ((trailer.sampleCount ?? 0) > trailer.frameCount * header.hop) {
      throw this.#damaged(`its ${trailer.frameCount} frames do not hold ${trailer.sampleCount} samples`);
    }
    if (this.#checksum === undefined) return;
    if (trailer.checksum !== this.#checksum)
      throw this.#damaged('the checksum of the whole file does not match');
    if (
      trailer.frameCount !== this.#nextFrameIndex ||
      trailer.recordCount !== this.#recordCount ||
      trailer.indexByteOffset !== this.#indexByteOffset
    ) {
      throw this.#damaged('its counts are not those of the file');
    }
  }

  #consume(bytes: Uint8Array): void {
    if (this.#checksum !== undefined) this.#checksum = crc32c(bytes, this.#checksum);
    this.#byteOffset += bytes.length;
    this.#queue.drop(bytes.length);
  }

  /** Packing faults are `bad_tokens` on the wire; in a file they are damage. */
  #asDamage<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw error instanceof TesseraError && error.code === 'bad_tokens'
        ? this.#damaged(error.message, error)
        : error;
    }
  }

  #recordName(): string {
    if (this.#state === 'preamble' || this.#state === 'header') return 'The file header';
    if (this.#state === 'trailer' || this.#state === 'complete') return 'The trailer';
    return this.#checksum === undefined
      ? `The packet of frame ${this.#nextFrameIndex}`
      : `Packet ${this.#recordCount}`;
  }

  #damaged(problem: string, cause?: unknown): TesseraError {
    return damaged(this.#recordName(), this.#byteOffset, problem, cause);
  }
}

/** Whether `bytes` are a whole trailer record with the right checksum. */
export function isTrailerRecord(bytes: Uint8Array): boolean {
  if (bytes.length !== TRAILER_RECORD_BYTES) return false;
  if (bytes[0] !== RECORD_TYPES.trailer || bytes[1] !== TRAILER_BODY_BYTES) return false;
  const sumOffset = TRAILER_RECORD_BYTES - CHECKSUM_BYTES;
  return crc32c(bytes.subarray(0, sumOffset)) === readUint32(bytes, sumOffset);
}
