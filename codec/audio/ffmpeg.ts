import type { ChildProcess } from 'node:child_process';
import { PassThrough } from 'node:stream';
import type { Readable, Writable } from 'node:stream';
import { resolve as resolvePath } from 'node:path';
import createCommand from 'fluent-ffmpeg';
import type { FfmpegCommand } from 'fluent-ffmpeg';
import { TesseraError } from '../../protocol/errors.js';
import { findFfmpeg } from './ffmpegBinary.js';
import { failureCause, inputDetails } from './ffmpegReport.js';
import type { CodecData, InputDetails } from './ffmpegReport.js';

/**
 * The only module that touches fluent-ffmpeg, and so the only one that starts ffmpeg.
 *
 * ffmpeg decodes, nothing more: it writes a WAV stream of the source's own rate and channels, which then goes the same
 * way as a WAV file, so that equal PCM gives equal samples whatever it was wrapped in.
 *
 * The ffmpeg of the npm package `@livekit/av` (7.1, a minimal build) reads WAV, W64, AIFF, AU, CAF, MP3, FLAC, Ogg,
 * Matroska/WebM and MP4/M4A holding PCM, A-law, mu-law, MP3, FLAC, ALAC, Vorbis or Opus, but no AAC, AMR or WMA; it
 * writes 16-bit WAV, FLAC and Ogg Opus. It has no float output, so there decoded audio passes through 16 bits; a full
 * ffmpeg hands over 32-bit floats.
 */

/** Silence for this long from an ffmpeg that has all it needs to go on means that it is stuck. */
const STALL_MS = 30_000;
/** A killed process is gone at once, save where the kernel holds it. */
const KILL_WAIT_MS = 5_000;

/** An ffmpeg that decodes. */
export interface FfmpegDecoding {
  /** A WAV stream of unknown length: `pcm_f32le`, or `pcm_s16le` where ffmpeg lacks it. Paused unless read. */
  readonly output: Readable;
  /** Settles once ffmpeg has opened its input, or ended. */
  readonly details: Promise<InputDetails>;
  /** Resolves when ffmpeg has ended well; rejects with `bad_audio`, `unsupported_audio` or `file_error`. */
  readonly done: Promise<void>;
  /** Kills ffmpeg if it still runs, and waits until it is gone. */
  close(): Promise<void>;
}

/** An ffmpeg that encodes to a file. */
export interface FfmpegEncoding {
  /** Takes mono 32-bit float samples, little-endian. End it to finish the file. */
  readonly input: Writable;
  /** Resolves when the file is complete; rejects with `unsupported_audio` or `file_error`. */
  readonly done: Promise<void>;
  /** Kills ffmpeg if it still runs, and waits until it is gone. */
  close(): Promise<void>;
}

/** What `decodeWithFfmpeg` needs besides its input. */
export interface DecodeOptions {
  /** The file or stream, for messages. */
  readonly name: string;
  /** True while a stream input has nothing to give, so that its silence is not held against ffmpeg. */
  readonly inputWaits?: () => boolean;
  /** Decode with libopus: ffmpeg's own Opus decoder is 16 dB off the reference on speech. */
  readonly isOpus?: boolean;
  readonly stallMs?: number;
}

/**
 * Starts decoding the first audio stream of a file (path) or of a stream that is read as it comes.
 * A file may be sought in; of a stream, formats that keep their index at the end (some MP4) cannot be read.
 * @throws TesseraError `unsupported_audio` where there is no ffmpeg.
 */
export async function decodeWithFfmpeg(
  input: string | Readable,
  options: DecodeOptions,
): Promise<FfmpegDecoding> {
  const { hasFloat, hasLibopus } = await prepareFfmpeg();
  // Playlists and the like name other files: a stream may open nothing else, a file only files.
  const whitelist = typeof input === 'string' ? 'file' : 'pipe';
  const decoder = options.isOpus === true && hasLibopus ? ['-c:a:0', 'libopus'] : [];
  const command = newCommand()
    .input(typeof input === 'string' ? fileUrl(input) : input)
    .inputOptions(['-protocol_whitelist', whitelist, ...decoder])
    .outputOptions(['-map', '0:a:0', '-flush_packets', '1', '-f', 'wav'])
    .audioCodec(hasFloat ? 'pcm_f32le' : 'pcm_s16le');

  let reportDetails: (details: InputDetails) => void;
  const details = new Promise<InputDetails>((resolve) => (reportDetails = resolve));
  // @types/fluent-ffmpeg leaves this event untyped.
  command.on('codecData', (data: CodecData) => {
    reportDetails(inputDetails(data));
  });

  // fluent-ffmpeg takes the output's 'close' for a broken pipe, and the stream would close itself at its end.
  const output = new CountingPassThrough({ autoDestroy: false });
  command.output(output);
  const run = new FfmpegRun(command, options.name, {
    stallMs: options.stallMs ?? STALL_MS,
    progress: () => output.byteCount,
    idle: () => output.readableLength > 0 || (options.inputWaits?.() ?? false),
  });
  void run.settled.then(() => {
    reportDetails({});
  });
  const close = async (): Promise<void> => {
    await run.kill();
    output.destroy();
    if (typeof input !== 'string') input.destroy();
  };
  return { output, details, done: run.done, close };
}

/**
 * Starts encoding mono samples of `sampleRate` Hz to the file at `path`. The extension picks the format: `.flac`,
 * `.opus`, `.ogg` (Opus) with any ffmpeg, `.mp3`, `.m4a` and others where that ffmpeg can. `name` is the file in messages.
 * @throws TesseraError `unsupported_audio` where there is no ffmpeg.
 */
export async function encodeWithFfmpeg(
  path: string,
  sampleRate: number,
  name: string,
): Promise<FfmpegEncoding> {
  await prepareFfmpeg();
  const input = new CountingPassThrough();
  const command = newCommand()
    .input(input)
    .inputOptions(['-f', 'f32le', '-ar', String(sampleRate), '-ac', '1', '-protocol_whitelist', 'pipe'])
    .outputOptions(['-y', ...formatOptions(path)])
    .output(fileUrl(path));
  const run = new FfmpegRun(command, name, {
    stallMs: STALL_MS,
    progress: () => input.byteCount,
    idle: () => input.writableLength === 0 && !input.writableEnded,
  });
  const close = async (): Promise<void> => {
    await run.kill();
    input.destroy();
  };
  return { input, done: run.done, close };
}

/** The minimal ffmpeg knows no `.opus` by name, and `.ogg` would mean another codec to each build. */
function formatOptions(path: string): string[] {
  return /\.(opus|ogg|oga)$/i.test(path) ? ['-c:a', 'libopus', '-f', 'ogg'] : [];
}

/** Without the prefix, a name such as `http:x` or `-y` would not be taken for a file. */
function fileUrl(path: string): string {
  return `file:${resolvePath(path)}`;
}

function newCommand(): FfmpegCommand {
  return createCommand({ stdoutLines: 200 }).addOption('-hide_banner', '-nostdin', '-nostats');
}

interface FfmpegAbilities {
  /** Whether it writes 32-bit float PCM. */
  readonly hasFloat: boolean;
  /** Whether it was built with libopus. */
  readonly hasLibopus: boolean;
}

let prepared: Promise<FfmpegAbilities> | undefined;

/** Finds ffmpeg and asks what it can, once a process: fluent-ffmpeg would otherwise ask for every early command. */
function prepareFfmpeg(): Promise<FfmpegAbilities> {
  prepared ??= askAbilities().catch((error: unknown) => {
    prepared = undefined;
    throw error;
  });
  return prepared;
}

async function askAbilities(): Promise<FfmpegAbilities> {
  const path = findFfmpeg();
  const command = createCommand().setFfmpegPath(path);
  const failure = (reason: string): TesseraError =>
    new TesseraError('unsupported_audio', `The ffmpeg at ${path} cannot be used: ${reason}.`);
  return new Promise<FfmpegAbilities>((resolve, reject) => {
    const deadline = setTimeout(() => {
      reject(failure('it does not answer'));
    }, STALL_MS);
    command.getAvailableFormats((formatError: Error | null) => {
      command.getAvailableEncoders((encoderError: Error | null, encoders) => {
        clearTimeout(deadline);
        const error = formatError ?? encoderError;
        if (error !== null) reject(failure(error.message));
        else resolve({ hasFloat: 'pcm_f32le' in encoders, hasLibopus: 'libopus' in encoders });
      });
    });
  });
}

class CountingPassThrough extends PassThrough {
  byteCount = 0;

  override _transform(
    chunk: Buffer,
    encoding: BufferEncoding,
    callback: (error?: Error | null, data?: Buffer) => void,
  ): void {
    this.byteCount += chunk.length;
    super._transform(chunk, encoding, callback);
  }
}

interface Watch {
  readonly stallMs: number;
  /** A figure that grows while ffmpeg works. */
  readonly progress: () => number;
  /** True while ffmpeg rightly does nothing. */
  readonly idle: () => boolean;
}

/** One run of ffmpeg, from its start until the process is gone. */
class FfmpegRun {
  /** Resolves or rejects with how it went. */
  readonly done: Promise<void>;
  /** Resolves when it is over and the process is gone, however it went. */
  readonly settled: Promise<void>;
  #child: ChildProcess | undefined;
  #killReason: TesseraError | undefined;

  constructor(command: FfmpegCommand, name: string, watch: Watch) {
    let noteGone: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => (noteGone = resolve));
    this.done = new Promise<void>((resolve, reject) => {
      command.once('start', () => {
        this.#child = (command as FfmpegCommand & { ffmpegProc: ChildProcess }).ffmpegProc;
        this.#child.once('exit', noteGone).once('error', noteGone);
        if (this.#killReason !== undefined) this.#child.kill('SIGKILL');
      });
      command.once('end', () => {
        resolve();
      });
      command.on('error', (error: Error, _stdout: string | null, log: string | null) => {
        // fluent-ffmpeg only asks it to stop, which an ffmpeg that waits for its input does not hear.
        this.#child?.kill('SIGKILL');
        if (this.#child === undefined) noteGone();
        reject(this.#killReason ?? describeFailure(name, error, log ?? ''));
      });
    });
    const watchdog = this.#watch(name, watch);
    this.settled = Promise.allSettled([this.done, gone]).then(() => {
      clearInterval(watchdog);
    });
    command.run();
  }

  /** Ends the process, waits until it is gone. Safe to call again, and after the end. */
  async kill(reason = new TesseraError('bad_state', 'The audio was closed.')): Promise<void> {
    this.#killReason ??= reason;
    this.#child?.kill('SIGKILL');
    let deadline: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => (deadline = setTimeout(resolve, KILL_WAIT_MS)));
    await Promise.race([this.settled, waited]);
    clearTimeout(deadline);
  }

  #watch(name: string, { stallMs, progress, idle }: Watch): NodeJS.Timeout {
    let lastProgress = -1;
    let stalledMs = 0;
    const stepMs = Math.min(1_000, stallMs);
    const timer = setInterval(() => {
      const now = progress();
      stalledMs = idle() || now !== lastProgress ? 0 : stalledMs + stepMs;
      lastProgress = now;
      if (stalledMs < stallMs) return;
      clearInterval(timer);
      const reason = `${name}: ffmpeg made no progress for ${stallMs / 1_000} s and was stopped.`;
      void this.kill(new TesseraError('bad_audio', reason));
    }, stepMs);
    timer.unref();
    return timer;
  }
}

function describeFailure(
  name: string,
  error: Error & { inputStreamError?: Error },
  log: string,
): TesseraError {
  if (error.inputStreamError !== undefined) {
    return error.inputStreamError instanceof TesseraError
      ? error.inputStreamError
      : new TesseraError('file_error', `${name}: ${error.inputStreamError.message}.`, { cause: error });
  }
  const { reason, code } = failureCause(`${log}\n${error.message}`);
  return new TesseraError(code, `${name}: ffmpeg cannot process it: ${reason}.`, { cause: error });
}
