import { once } from 'node:events';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { TesseraError } from '../../protocol/errors.js';
import { encodeWithFfmpeg } from './ffmpeg.js';
import type { FfmpegEncoding } from './ffmpeg.js';
import { WavWriter } from './wavWriter.js';

/** A recording that is being written. */
export interface AudioSink {
  /** Takes the next mono samples in [-1, 1]. @returns when there is room for more. */
  write(samples: Float32Array): Promise<void>;
  /** Completes the recording. */
  finish(): Promise<void>;
  /** Gives it up and removes the unfinished file. Does nothing after `finish()`. */
  abort(): Promise<void>;
}

/** How the samples are to be taken. */
export interface AudioSinkOptions {
  /** Of the samples, in Hz. */
  readonly sampleRate: number;
}

/**
 * Opens a recording for writing: `-` is WAV on standard output, `.wav` (or no extension) is 16-bit WAV, every other
 * extension is what ffmpeg makes of it (see `ffmpeg.ts` for what the packaged ffmpeg can). A file appears under its
 * name when it is complete; what stood there before is kept until then.
 *
 * @throws TesseraError `file_error` where it cannot be written, `unsupported_audio` where ffmpeg lacks the format.
 * The same codes may come from the sink's methods.
 */
export async function openAudioSink(path: string, options: AudioSinkOptions): Promise<AudioSink> {
  const { sampleRate } = options;
  if (path === '-') {
    const name = 'standard output';
    return new WavSink(await guarded(name, () => WavWriter.toStream(process.stdout, sampleRate)), name);
  }
  return guarded(path, async () => {
    // A named pipe or a device is written to as it is.
    if (!(await isRegularOrNew(path))) return new WavSink(await WavWriter.toFile(path, sampleRate), path);
    const file = new UnfinishedFile(path);
    if (WAV_EXTENSIONS.includes(extname(path).toLowerCase())) {
      return new WavSink(await WavWriter.toFile(file.path, sampleRate), path, file);
    }
    return new FfmpegSink(await encodeWithFfmpeg(file.path, sampleRate, path), file);
  });
}

const WAV_EXTENSIONS = ['', '.wav', '.wave'];

/** Writes a whole recording at once. Throws what `openAudioSink` throws. */
export async function writeAudio(
  path: string,
  samples: Float32Array,
  options: AudioSinkOptions,
): Promise<void> {
  const sink = await openAudioSink(path, options);
  try {
    await sink.write(samples);
    await sink.finish();
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

let unfinishedFiles = 0;

/** A file under a name of its own until it is complete. */
class UnfinishedFile {
  readonly path: string;
  readonly #finalPath: string;

  constructor(finalPath: string) {
    this.#finalPath = finalPath;
    // The extension stays last: it tells ffmpeg the format.
    const name = `.unfinished-${process.pid}-${unfinishedFiles++}-${basename(finalPath)}`;
    this.path = join(dirname(finalPath), name);
  }

  commit(): Promise<void> {
    return rename(this.path, this.#finalPath);
  }

  discard(): Promise<void> {
    return rm(this.path, { force: true });
  }
}

class WavSink implements AudioSink {
  readonly #writer: WavWriter;
  readonly #name: string;
  readonly #file: UnfinishedFile | undefined;
  #state: 'open' | 'finished' | 'aborted' = 'open';

  constructor(writer: WavWriter, name: string, file?: UnfinishedFile) {
    this.#writer = writer;
    this.#name = name;
    this.#file = file;
  }

  async write(samples: Float32Array): Promise<void> {
    await guarded(this.#name, () => this.#writer.write(samples));
  }

  async finish(): Promise<void> {
    if (this.#state !== 'open') return;
    await guarded(this.#name, async () => {
      await this.#writer.finish();
      await this.#file?.commit();
    });
    this.#state = 'finished';
  }

  async abort(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'aborted';
    await this.#writer.abort();
    await this.#file?.discard();
  }
}

class FfmpegSink implements AudioSink {
  readonly #encoding: FfmpegEncoding;
  readonly #file: UnfinishedFile;
  #state: 'open' | 'finished' | 'aborted' = 'open';

  constructor(encoding: FfmpegEncoding, file: UnfinishedFile) {
    this.#encoding = encoding;
    this.#file = file;
  }

  async write(samples: Float32Array): Promise<void> {
    const { input, done } = this.#encoding;
    // The samples are copied: the caller may use its array again.
    const bytes = Buffer.from(new Float32Array(samples).buffer);
    // An ffmpeg that gave up takes nothing more, so its end must not be waited for.
    if (!input.write(bytes)) await Promise.race([once(input, 'drain'), done]);
  }

  async finish(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#encoding.input.end();
    await this.#encoding.done;
    await this.#file.commit();
    this.#state = 'finished';
  }

  async abort(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'aborted';
    await this.#encoding.close();
    await this.#file.discard();
  }
}

async function isRegularOrNew(path: string): Promise<boolean> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw new TesseraError('file_error', `${path}: this is a directory.`);
    return stats.isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}

/** Runs `action`; system errors come out as `file_error` with the name of the file. */
async function guarded<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof TesseraError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? 'its directory does not exist'
        : code === 'EACCES'
          ? 'it may not be written (permission denied)'
          : code === 'EPIPE'
            ? 'its reader has gone'
            : message;
    throw new TesseraError('file_error', `${name}: ${reason}.`, { cause: error });
  }
}
