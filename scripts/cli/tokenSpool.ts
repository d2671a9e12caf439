import { mkdtemp, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenBlock } from '../../protocol/tokens.js';
import { guarded } from './byteSink.js';
import type { Interruption } from './interruption.js';

/** Frames held in memory; a longer recording than this goes through a temporary file. */
const FRAMES_PER_CHUNK = 4096;

/** A temporary file in a folder of its own. */
interface SpoolFile {
  readonly handle: FileHandle;
  readonly folder: string;
  readonly forget: () => void;
}

/**
 * Turns tokens, which come frame by frame, into whole codebooks of a length known only at the end. Memory is bounded:
 * full chunks, codebook-major, go to a temporary file.
 */
export class TokenSpool {
  readonly #quantizers: number;
  readonly #framesPerChunk: number;
  readonly #parentFolder: string;
  readonly #interruption: Interruption;
  readonly #chunk: Uint16Array;
  /** Frames in `#chunk`. */
  #filledFrames = 0;
  #chunksInFile = 0;
  #file: SpoolFile | undefined;

  /** `quantizers`: codebooks of every block to come; the temporary file lies below `folder`. */
  constructor(
    quantizers: number,
    interruption: Interruption,
    { framesPerChunk = FRAMES_PER_CHUNK, folder = tmpdir() } = {},
  ) {
    this.#quantizers = quantizers;
    this.#framesPerChunk = framesPerChunk;
    this.#parentFolder = folder;
    this.#interruption = interruption;
    this.#chunk = new Uint16Array(quantizers * framesPerChunk);
  }

  /** Frames so far. */
  get frameCount(): number {
    return this.#chunksInFile * this.#framesPerChunk + this.#filledFrames;
  }

  /** Appends the frames of a block. @throws TesseraError `file_error` when the temporary file cannot be written. */
  async push(block: TokenBlock): Promise<void> {
    for (let frame = 0; frame < block.frameCount;) {
      const taken = Math.min(block.frameCount - frame, this.#framesPerChunk - this.#filledFrames);
      for (let quantizer = 0; quantizer < this.#quantizers; quantizer++) {
        const start = quantizer * block.frameCount + frame;
        const codes = block.codes.subarray(start, start + taken);
        this.#chunk.set(codes, quantizer * this.#framesPerChunk + this.#filledFrames);
      }
      frame += taken;
      this.#filledFrames += taken;
      if (this.#filledFrames === this.#framesPerChunk) await this.#writeChunk();
    }
  }

  /** The codes of one codebook, from the first frame to the last, in pieces. */
  async *codebook(quantizer: number): AsyncGenerator<Uint16Array> {
    for (let chunk = 0; chunk < this.#chunksInFile; chunk++) {
      const codes = new Uint16Array(this.#framesPerChunk);
      const position = chunk * this.#chunk.byteLength + quantizer * codes.byteLength;
      await guarded('the temporary file', async () => {
        await this.#file?.handle.read(bytesOf(codes), 0, codes.byteLength, position);
      });
      yield codes;
    }
    const start = quantizer * this.#framesPerChunk;
    if (this.#filledFrames > 0) yield this.#chunk.slice(start, start + this.#filledFrames);
  }

  /** Removes the temporary file. Safe to call again. */
  async close(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    await file.handle.close();
    await rm(file.folder, { recursive: true, force: true });
    file.forget();
  }

  async #writeChunk(): Promise<void> {
    await guarded('the temporary file', async () => {
      this.#file ??= await this.#openFile();
      await this.#file.handle.writeFile(bytesOf(this.#chunk));
    });
    this.#chunksInFile++;
    this.#filledFrames = 0;
  }

  async #openFile(): Promise<SpoolFile> {
    const folder = await mkdtemp(join(this.#parentFolder, 'tessera-'));
    const forget = this.#interruption.onSignal(() => rm(folder, { recursive: true, force: true }));
    return { handle: await open(join(folder, 'codes'), 'wx+'), folder, forget };
  }
}

/** The memory of an array as bytes; little-endian, as on every machine that the codec runs on. */
export function bytesOf(codes: Uint16Array): Uint8Array {
  return new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength);
}
