import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What a codec made of a recording. */
export interface Coded {
  /** Mono, at the rate of the recording; it may be shifted and somewhat longer or shorter. */
  readonly samples: Float32Array;
  /** Of the coded speech alone, without headers of files and packets. */
  readonly bits: number;
  /** What encoding and decoding took, the start of programs included, resampling not. */
  readonly workMs: number;
}

/** A codec at one setting. */
export interface Row {
  readonly name: string;
  /** Settings of one codec, a line in the charts. */
  readonly family: string;
  /** Constant delay of a codec that does not keep the waveform, so that it cannot be found by correlation. */
  readonly delayMs?: number;
  /** An earlier row whose samples these are, at another rate: its scores hold. */
  readonly sameSoundAs?: string;
  /** Encodes and decodes a recording, mono at `sampleRate` Hz. */
  readonly code: (speech: Float32Array, sampleRate: number) => Promise<Coded>;
}

/** Another codec: what can be run of it here. */
export interface Rival {
  readonly name: string;
  readonly rows: readonly Row[];
  /** Why it cannot be run here, or not all of it. */
  readonly absence?: string;
}

const run = promisify(execFile);
const RUN_TIMEOUT_MS = 60_000;

/** Runs a program to its end. @returns its milliseconds. @throws Error with what it said when it fails. */
export async function runProgram(program: string, ...args: string[]): Promise<number> {
  const start = performance.now();
  await run(program, args, { timeout: RUN_TIMEOUT_MS });
  return performance.now() - start;
}

/** Those of the programs that are not on the PATH. */
export async function missingPrograms(programs: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    programs.map((program) =>
      run('sh', ['-c', `command -v "$0"`, program]).then(
        () => true,
        () => false,
      ),
    ),
  );
  return programs.filter((_, at) => found[at] !== true);
}

/** Gives `use` a folder that is deleted afterwards. */
export async function inFolder<T>(use: (pathOf: (name: string) => string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-rival-'));
  try {
    return await use((name) => join(folder, name));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
