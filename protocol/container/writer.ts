import { ByteWriter } from '../byteWriter.js';
import { writeCodedBody, type CodedRun } from '../codedRun.js';
import { crc32c } from '../crc32c.js';
import { writeGapBody, writeTokensBody, type GapFrame } from '../frames.js';
import type { TokenBlock } from '../tokens.js';
import {
  CONTAINER_LIMITS,
  CONTAINER_MAGIC,
  CONTAINER_VERSION,
  encodeHeaderBody,
  encodeIndexBody,
  encodeRecord,
  encodeTrailerBody,
  RECORD_TYPES,
  type ContainerHeader,
  type ContainerIndexEntry,
} from './format.js';

/** Frames between index entries in a file that is not huge: about a second, a few bytes. */
const INITIAL_INDEX_SPACING_FRAMES = 64;

/**
 * Makes a `.tsr` file piece by piece: every call returns the bytes to append. Nothing written is ever changed, so the
 * file can go to a pipe; memory stays bounded (the index thins itself out as the file grows).
 *
 * Call `begin` once, `tokens`, `coded` and `gap` in the order of the frames, which leave no frame out, then `finish`.
 */
export class ContainerWriter {
  readonly #header: ContainerHeader;
  #state: 'pending' | 'started' | 'finished' = 'pending';
  #byteOffset = 0;
  #checksum = 0;
  #nextFrameIndex = 0;
  #recordCount = 0;
  #index: ContainerIndexEntry[] = [];
  #indexSpacingFrames = INITIAL_INDEX_SPACING_FRAMES;

  constructor(header: ContainerHeader) {
    this.#header = header;
  }

  /** Frames so far: the index that the next block or gap must have. */
  get nextFrameIndex(): number {
    return this.#nextFrameIndex;
  }

  /** Bytes so far. */
  get byteLength(): number {
    return this.#byteOffset;
  }

  /** Magic, version and header. @throws RangeError when a field of the header is out of range. */
  begin(): Uint8Array {
    this.#expect('pending');
    const record = encodeRecord(RECORD_TYPES.header, encodeHeaderBody(this.#header));
    this.#state = 'started';
    return this.#emit(
      new ByteWriter().append(CONTAINER_MAGIC).byte(CONTAINER_VERSION).append(record).bytes(),
    );
  }

  /**
   * A packet. One second of frames is a good size: the record costs about 11 bytes besides its codes.
   * @throws RangeError when the block does not start where the last one ended, has more codebooks than the header
   * says, more than 65,536 frames, or more than 1 MiB.
   */
  tokens(block: TokenBlock): Uint8Array {
    this.#expect('started');
    this.#checkFit(block);
    const body = new ByteWriter();
    writeTokensBody(body, block, this.#header.codebookSize);
    return this.#emitRun(RECORD_TYPES.tokens, body.bytes(), block);
  }

  /**
   * A packet that is entropy-coded and stands alone: a reader may begin with any.
   * @throws RangeError as {@link tokens} does, and for a packet that continues another.
   */
  coded(run: CodedRun): Uint8Array {
    this.#expect('started');
    this.#checkFit(run);
    if (run.isContinued) throw new RangeError('Packets of a file must stand alone');
    const body = new ByteWriter();
    writeCodedBody(body, run);
    return this.#emitRun(RECORD_TYPES.coded, body.bytes(), run);
  }

  /** Frames that are missing. @throws RangeError when they do not start where the last block ended. */
  gap(gap: Omit<GapFrame, 'kind'>): Uint8Array {
    this.#expect('started');
    const body = new ByteWriter();
    writeGapBody(body, gap);
    return this.#emitRun(RECORD_TYPES.gap, body.bytes(), gap);
  }

  /**
   * Index and trailer. `sampleCount` is the length of the sound where it is known; the header's is used else.
   * @throws RangeError when there are more samples than the frames hold.
   */
  finish({ sampleCount = this.#header.sampleCount }: { sampleCount?: number | undefined } = {}): Uint8Array {
    this.#expect('started');
    if (sampleCount !== undefined && sampleCount > this.#nextFrameIndex * this.#header.hop) {
      throw new RangeError(`${this.#nextFrameIndex} frames do not hold ${sampleCount} samples`);
    }
    const indexByteOffset = this.#byteOffset;
    const index = this.#emit(encodeRecord(RECORD_TYPES.index, encodeIndexBody(this.#index)));
    const trailerBody = encodeTrailerBody({
      frameCount: this.#nextFrameIndex,
      recordCount: this.#recordCount,
      ...(sampleCount === undefined ? {} : { sampleCount }),
      indexByteOffset,
      checksum: this.#checksum,
    });
    const trailer = this.#emit(encodeRecord(RECORD_TYPES.trailer, trailerBody));
    this.#state = 'finished';
    return new ByteWriter().append(index).append(trailer).bytes();
  }

  #checkFit({ quantizers, frameCount }: { quantizers: number; frameCount: number }): void {
    if (quantizers > this.#header.quantizers || frameCount > CONTAINER_LIMITS.maxFramesPerPacket) {
      throw new RangeError(
        `A packet of ${quantizers} codebooks and ${frameCount} frames does not fit a file of ` +
          `${this.#header.quantizers} codebooks and ${CONTAINER_LIMITS.maxFramesPerPacket} frames a packet`,
      );
    }
  }

  #emitRun(type: number, body: Uint8Array, run: { firstFrameIndex: number; frameCount: number }): Uint8Array {
    if (run.firstFrameIndex !== this.#nextFrameIndex) {
      throw new RangeError(
        `The next frame of the file is ${this.#nextFrameIndex}, not ${run.firstFrameIndex}`,
      );
    }
    if (body.length > CONTAINER_LIMITS.maxBodyBytes) {
      throw new RangeError(`A packet of ${body.length} bytes is above ${CONTAINER_LIMITS.maxBodyBytes}`);
    }
    this.#addIndexEntry({ firstFrameIndex: run.firstFrameIndex, byteOffset: this.#byteOffset });
    this.#nextFrameIndex += run.frameCount;
    this.#recordCount += 1;
    return this.#emit(encodeRecord(type, body));
  }

  #addIndexEntry(entry: ContainerIndexEntry): void {
    const last = this.#index.at(-1);
    if (last && entry.firstFrameIndex - last.firstFrameIndex < this.#indexSpacingFrames) return;
    if (this.#index.length === CONTAINER_LIMITS.maxIndexEntries) {
      this.#index = this.#index.filter((_, at) => at % 2 === 0);
      this.#indexSpacingFrames *= 2;
    }
    this.#index.push(entry);
  }

  #emit(bytes: Uint8Array): Uint8Array {
    this.#checksum = crc32c(bytes, this.#checksum);
    this.#byteOffset += bytes.length;
    return bytes;
  }

  #expect(state: 'pending' | 'started'): void {
    if (this.#state !== state) throw new Error(`The container writer is ${this.#state}, not ${state}`);
  }
}
