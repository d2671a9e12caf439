import { readUint32 } from '../byteReader.js';
import { TesseraError } from '../errors.js';
import type { GapFrame } from '../frames.js';
import type { CodedRun } from '../codedRun.js';
import { sliceFrames, type TokenBlock } from '../tokens.js';
import { readVarint } from '../varint.js';
import {
  CHECKSUM_BYTES,
  damaged,
  decodeIndexBody,
  decodeTrailerBody,
  RECORD_TYPES,
  TRAILER_RECORD_BYTES,
  type ContainerHeader,
  type ContainerIndexEntry,
  type ContainerTrailer,
} from './format.js';
import { crc32c } from '../crc32c.js';
import { ContainerReader, isTrailerRecord } from './reader.js';

/** Bytes that can be read in any order: a file, a blob, a ranged download. */
export interface RandomAccessSource {
  readonly byteLength: number;
  /** The `length` bytes at `offset`; both are within the source. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A part of a file in time: tokens, or a gap where there are none. */
export type ContainerRun =
  | { readonly kind: 'tokens'; readonly block: TokenBlock }
  /** Whole: frames outside of what was asked for may be in it. */
  | { readonly kind: 'coded'; readonly run: CodedRun }
  | { readonly kind: 'gap'; readonly gap: Omit<GapFrame, 'kind'> };

/** Bytes fetched at a time: some minutes of tokens. */
const CHUNK_BYTES = 16_384;

/** Reads any part of a whole `.tsr` file through its index, without reading what lies before it. */
export class ContainerSeeker {
  readonly #source: RandomAccessSource;
  readonly #index: readonly ContainerIndexEntry[];

  private constructor(
    source: RandomAccessSource,
    index: readonly ContainerIndexEntry[],
    readonly header: ContainerHeader,
    readonly trailer: ContainerTrailer,
  ) {
    this.#source = source;
    this.#index = index;
  }

  /**
   * Reads header, trailer and index.
   * @throws TesseraError `bad_container`; `truncated_container` when the file has no trailer (yet): read it from its
   * start with a `ContainerReader` instead.
   */
  static async open(source: RandomAccessSource): Promise<ContainerSeeker> {
    const header = await readHeader(source);
    const trailerOffset = source.byteLength - TRAILER_RECORD_BYTES;
    const tail =
      trailerOffset < 0 ? new Uint8Array() : await source.read(trailerOffset, TRAILER_RECORD_BYTES);
    if (!isTrailerRecord(tail)) {
      throw new TesseraError(
        'truncated_container',
        'The file has no sound trailer, so there is no index to seek by: read it from its start',
      );
    }
    const trailer = decodeTrailerBody(tail.subarray(2, -CHECKSUM_BYTES));
    if (trailer.indexByteOffset >= trailerOffset) {
      throw damaged('The trailer', trailerOffset, 'the index cannot lie where it says');
    }
    const record = await source.read(trailer.indexByteOffset, trailerOffset - trailer.indexByteOffset);
    const index = decodeIndexBody(indexBody(record, trailer.indexByteOffset));
    if (index.some((entry) => entry.byteOffset >= trailer.indexByteOffset)) {
      throw damaged('The index', trailer.indexByteOffset, 'an entry points behind the packets');
    }
    return new ContainerSeeker(source, index, header, trailer);
  }

  /**
   * The frames from `firstFrameIndex` on, `frameCount` of them or as many as the file has, cut to exactly these.
   * @throws TesseraError `bad_container` for a damaged packet among them.
   */
  async *read(firstFrameIndex: number, frameCount = Infinity): AsyncGenerator<ContainerRun, void> {
    const endFrameIndex = Math.min(firstFrameIndex + frameCount, this.trailer.frameCount);
    if (firstFrameIndex < 0 || firstFrameIndex >= endFrameIndex) return;
    const entry = this.#entryBefore(firstFrameIndex);
    const reader = ContainerReader.at(this.header, entry);
    let offset = entry.byteOffset;
    while (reader.nextFrameIndex < endFrameIndex) {
      const event = reader.read();
      if (event === undefined) {
        const length = Math.min(CHUNK_BYTES, this.trailer.indexByteOffset - offset);
        if (length === 0) throw damaged('The last packet', offset, 'it reaches into the index');
        reader.push(await this.#source.read(offset, length));
        offset += length;
      } else if (event.kind === 'tokens') {
        const block = sliceFrames(event.block, firstFrameIndex, endFrameIndex);
        if (block) yield { kind: 'tokens', block };
      } else if (event.kind === 'coded') {
        if (event.run.firstFrameIndex + event.run.frameCount > firstFrameIndex) {
          yield { kind: 'coded', run: event.run };
        }
      } else if (event.kind === 'gap') {
        const first = Math.max(event.gap.firstFrameIndex, firstFrameIndex);
        const end = Math.min(event.gap.firstFrameIndex + event.gap.frameCount, endFrameIndex);
        const gap = { firstFrameIndex: first, frameCount: end - first, reason: event.gap.reason };
        if (gap.frameCount > 0) yield { kind: 'gap', gap };
      }
    }
  }

  /** The last entry at or before a frame, by halving. */
  #entryBefore(frameIndex: number): ContainerIndexEntry {
    let low = 0;
    let high = this.#index.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#index[middle]?.firstFrameIndex ?? Infinity) <= frameIndex) low = middle + 1;
      else high = middle;
    }
    const entry = this.#index[low - 1];
    if (entry === undefined) {
      throw damaged('The index', this.trailer.indexByteOffset, `it does not lead to frame ${frameIndex}`);
    }
    return entry;
  }
}

async function readHeader(source: RandomAccessSource): Promise<ContainerHeader> {
  const reader = new ContainerReader();
  for (let offset = 0; offset < source.byteLength;) {
    const length = Math.min(CHUNK_BYTES, source.byteLength - offset);
    reader.push(await source.read(offset, length));
    offset += length;
    const event = reader.read();
    if (event?.kind === 'header') return event.header;
  }
  throw reader.end() ?? new TesseraError('bad_container', 'The file has no header');
}

/** The body of the one record that `record` must be exactly. */
function indexBody(record: Uint8Array, byteOffset: number): Uint8Array {
  const length = record[0] === RECORD_TYPES.index ? readVarint(record, 1, 'bad_container') : undefined;
  if (length === undefined || length.nextOffset + length.value + CHECKSUM_BYTES !== record.length) {
    throw damaged('The index', byteOffset, 'its record does not reach from here to the trailer');
  }
  const sumOffset = record.length - CHECKSUM_BYTES;
  if (crc32c(record.subarray(0, sumOffset)) !== readUint32(record, sumOffset)) {
    throw damaged('The index', byteOffset, 'its checksum does not match');
  }
  return record.subarray(length.nextOffset, sumOffset);
}
