import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { UNKNOWN_SIZE, WAV_HEADER_BYTES, writeWavHeader } from './wavFormat.js';

/** Where the bytes of a WAV file go. */
interface ByteTarget {
  write(bytes: Uint8Array): Promise<void>;
  /** Replaces the header, where one can go back to it. */
  rewriteHeader?(header: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/**
 * Writes mono 16-bit WAV as the samples come. Where the target can be sought in, the header gets its sizes at the
 * end; on a pipe it says that the length is unknown. Samples are rounded, and clamped to full scale.
 */
export class WavWriter {
  readonly #target: ByteTarget;
  readonly #sampleRate: number;
  #dataBytes = 0;

  private constructor(target: ByteTarget, sampleRate: number) {
    this.#target = target;
    this.#sampleRate = sampleRate;
  }

  /** Creates or overwrites the file at `path`. */
  static async toFile(path: string, sampleRate: number): Promise<WavWriter> {
    return WavWriter.#start(await fileTarget(await open(path, 'w')), sampleRate);
  }

  /** Writes to a stream, which is left open at the end: standard output cannot be closed. */
  static async toStream(stream: Writable, sampleRate: number): Promise<WavWriter> {
    return WavWriter.#start(streamTarget(stream), sampleRate);
  }

  static async #start(target: ByteTarget, sampleRate: number): Promise<WavWriter> {
    const writer = new WavWriter(target, sampleRate);
    await target.write(writer.#header(UNKNOWN_SIZE));
    return writer;
  }

  /** Appends mono samples in [-1, 1], as 16 bits. */
  async write(samples: Float32Array): Promise<void> {
    const bytes = toPcm16(samples);
    this.#dataBytes += bytes.length;
    await this.#target.write(bytes);
  }

  /** Puts the length into the header, where the target can go back, and lets go of it. */
  async finish(): Promise<void> {
    await this.#target.rewriteHeader?.(this.#header(this.#dataBytes));
    await this.#target.close();
  }

  /** Lets go of the target without finishing it. */
  async abort(): Promise<void> {
    await this.#target.close();
  }

  #header(dataBytes: number): Uint8Array {
    const header = new Uint8Array(WAV_HEADER_BYTES);
    const format = { encoding: 's16', sampleRate: this.#sampleRate, channels: 1 } as const;
    writeWavHeader(new DataView(header.buffer), format, dataBytes);
    return header;
  }
}

/** The inverse of reading: 16-bit samples that were read come back exactly. */
function toPcm16(samples: Float32Array): Uint8Array {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < samples.length; index++) {
    const level = Math.round((samples[index] ?? 0) * 32_768);
    view.setInt16(index * 2, Math.max(-32_768, Math.min(32_767, level)), true);
  }
  return bytes;
}

async function fileTarget(file: FileHandle): Promise<ByteTarget> {
  const isSeekable = (await file.stat()).isFile();
  return {
    write: (bytes) => file.writeFile(bytes),
    ...(isSeekable
      ? {
          rewriteHeader: async (header: Uint8Array): Promise<void> => {
            await file.write(header, 0, header.length, 0);
          },
        }
      : {}),
    close: () => file.close(),
  };
}

function streamTarget(stream: Writable): ByteTarget {
  // A reader that goes away between two writes is told by the next one, not by an error that nobody hears.
  const ignore = (): void => undefined;
  stream.on('error', ignore);
  return {
    write: async (bytes) => {
      if (stream.errored !== null) throw stream.errored;
      if (!stream.write(bytes)) await once(stream, 'drain');
    },
    close: async () => {
      // The last bytes are on their way out before the caller may end the process.
      const { errored } = stream;
      if (errored === null) {
        await new Promise<void>((resolve) =>
          stream.write('', () => {
            resolve();
          }),
        );
      }
      stream.off('error', ignore);
      if (stream.errored !== null) throw stream.errored;
    },
  };
}
