import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { TesseraError } from '../../protocol/errors.js';
import { writeFailure } from './fileErrors.js';
import type { Interruption } from './interruption.js';

/** A file of bytes that is being written. */
export interface ByteSink {
  /** Appends; resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  /** Completes the file. */
  commit(): Promise<void>;
  /** Gives it up; nothing of it stays where that can be helped. */
  discard(): Promise<void>;
}

/**
 * Opens a file for writing; `-` is standard output. The file gets its name when it is complete: until then what
 * stood there before stays, and an interruption leaves nothing.
 * @throws TesseraError `file_error`, here and from the methods.
 */
export async function openByteSink(path: string, interruption: Interruption): Promise<ByteSink> {
  if (path === '-') return new StreamSink(process.stdout);
  return guarded(path, async () => {
    // A named pipe or a device is written to as it is.
    if (!(await isRegularOrNew(path)))
      return new FileSink(path, path, await open(path, 'w'), () => undefined);
    const unfinished = unfinishedPath(path);
    // Made and registered in one go: a signal between the two would leave the file there.
    closeSync(openSync(unfinished, 'wx'));
    const forget = interruption.removes(unfinished);
    return new FileSink(path, unfinished, await open(unfinished, 'r+'), forget);
  });
}

let unfinishedFiles = 0;

/** A name beside the final one, so that a rename suffices. */
function unfinishedPath(path: string): string {
  return join(dirname(path), `.unfinished-${process.pid}-${unfinishedFiles++}-${basename(path)}`);
}

class StreamSink implements ByteSink {
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#stream.write(bytes)) await once(this.#stream, 'drain');
  }

  /** Standard output is closed by the end of the process. */
  commit(): Promise<void> {
    return Promise.resolve();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }
}

class FileSink implements ByteSink {
  readonly #path: string;
  readonly #writtenPath: string;
  readonly #file: FileHandle;
  readonly #forget: () => void;
  #state: 'open' | 'committed' | 'discarded' = 'open';

  /** `writtenPath` differs from `path` where the file is to be renamed at its end; `forget` when it needs no removal any more. */
  constructor(path: string, writtenPath: string, file: FileHandle, forget: () => void) {
    this.#path = path;
    this.#writtenPath = writtenPath;
    this.#file = file;
    this.#forget = forget;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await guarded(this.#path, () => this.#file.writeFile(bytes));
  }

  async commit(): Promise<void> {
    if (this.#state !== 'open') return;
    await guarded(this.#path, async () => {
      await this.#file.close();
      if (this.#path !== this.#writtenPath) await rename(this.#writtenPath, this.#path);
    });
    this.#state = 'committed';
    this.#forget();
  }

  async discard(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'discarded';
    await this.#file.close().catch(() => undefined);
    if (this.#path !== this.#writtenPath) await rm(this.#writtenPath, { force: true });
    this.#forget();
  }
}

async function isRegularOrNew(path: string): Promise<boolean> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw new TesseraError('file_error', `${path}: this is a directory`);
    return stats.isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}

/** Runs `action` on an output; system errors come out as `file_error` with the name that the user gave. */
export async function guarded<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw writeFailure(error, name);
  }
}
