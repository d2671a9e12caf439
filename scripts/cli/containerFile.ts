import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  ContainerReader,
  ContainerSeeker,
  TesseraError,
  type ContainerEvent,
  type ContainerHeader,
  type ContainerTrailer,
} from '../../protocol/index.js';
import { readFailure } from './fileErrors.js';

/** A `.tsr` file that is being read from its start, in pieces. */
export class ContainerFile {
  /** For messages. */
  readonly name: string;
  /** What the file says of itself. */
  readonly header: ContainerHeader;
  readonly #reader: ContainerReader;
  readonly #stream: Readable;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #bytesRead: number;
  #truncation: TesseraError | undefined;

  private constructor(
    name: string,
    header: ContainerHeader,
    reader: ContainerReader,
    stream: Readable,
    pieces: AsyncIterator<Uint8Array>,
    bytesRead: number,
  ) {
    this.name = name;
    this.header = header;
    this.#reader = reader;
    this.#stream = stream;
    this.#pieces = pieces;
    this.#bytesRead = bytesRead;
  }

  /**
   * Opens a file, or standard input where `path` is `-`, and reads its header.
   * @throws TesseraError `file_error`, `bad_container`, or `truncated_container` where not even the header is whole.
   */
  static async open(path: string): Promise<ContainerFile> {
    const name = path === '-' ? 'standard input' : path;
    const stream: Readable = path === '-' ? process.stdin : createReadStream(path);
    const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    const reader = new ContainerReader();
    let bytesRead = 0;
    try {
      for (;;) {
        const event = reader.read();
        if (event?.kind === 'header') {
          return new ContainerFile(name, event.header, reader, stream, pieces, bytesRead);
        }
        const piece = await pieces.next();
        if (piece.done === true) throw reader.end() ?? new TesseraError('bad_container', 'It has no header');
        reader.push(piece.value);
        bytesRead += piece.value.length;
      }
    } catch (error) {
      stream.destroy();
      throw named(error, name);
    }
  }

  /** Bytes of the file so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Frames so far, gaps included. */
  get frameCount(): number {
    return this.#reader.nextFrameIndex;
  }

  /** After the last event: the warning that the file is cut off, if it is. */
  get truncation(): TesseraError | undefined {
    return this.#truncation;
  }

  /** What follows the header, to the end or the cut. Can be iterated once. @throws TesseraError `bad_container`. */
  async *events(): AsyncGenerator<ContainerEvent> {
    try {
      for (;;) {
        const event = this.#reader.read();
        if (event !== undefined) {
          yield event;
          continue;
        }
        const piece = await this.#pieces.next();
        if (piece.done === true) {
          const truncation = this.#reader.end();
          if (truncation !== undefined) this.#truncation = named(truncation, this.name);
          return;
        }
        this.#reader.push(piece.value);
        this.#bytesRead += piece.value.length;
      }
    } catch (error) {
      throw named(error, this.name);
    } finally {
      this.close();
    }
  }

  /** Lets go of the file. Safe to call again. */
  close(): void {
    this.#stream.destroy();
  }
}

/** The same error, with the file's name in front. */
function named(error: unknown, name: string): TesseraError {
  if (!(error instanceof TesseraError)) return readFailure(error, name);
  return new TesseraError(error.code, `${name}: ${error.message}`, { cause: error });
}

/** The trailer of a whole file, found from its end; undefined for a pipe, and where the end is missing or damaged. */
export async function readTrailer(path: string): Promise<ContainerTrailer | undefined> {
  try {
    const stats = path === '-' ? undefined : await stat(path);
    if (stats?.isFile() !== true) return undefined;
    const file = await open(path);
    try {
      const seeker = await ContainerSeeker.open({
        byteLength: stats.size,
        read: async (offset, length) => {
          const bytes = new Uint8Array(length);
          const { bytesRead } = await file.read(bytes, 0, length, offset);
          return bytes.subarray(0, bytesRead);
        },
      });
      return seeker.trailer;
    } finally {
      await file.close();
    }
  } catch {
    // Whatever is wrong comes up again, with its place, when the file is read from its start.
    return undefined;
  }
}
