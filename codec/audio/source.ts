import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { TesseraError } from '../../protocol/errors.js';
import { ByteReader } from './byteReader.js';
import { decodeWithFfmpeg } from './ffmpeg.js';
import type { FfmpegDecoding } from './ffmpeg.js';
import { holdsOpus } from './opusSniff.js';
import { PcmPipeline } from './pcmPipeline.js';
import { WAV_MAGIC_BYTES, checkDataBytes, isWav, readWavData, readWavHeader } from './wav.js';
import type { WavHeader } from './wav.js';
import { BYTES_PER_SAMPLE } from './wavFormat.js';

/** What the input was before it became mono PCM at the asked rate. */
export interface AudioInfo {
  /** `wav`, or ffmpeg's name of the container (`mp3`, `ogg`, `matroska,webm`...). */
  readonly container: string;
  /** `pcm_s16`, `pcm_f32`..., or ffmpeg's name of the codec. */
  readonly codec: string;
  /** Of the input, in Hz. */
  readonly sampleRate: number;
  /** Of the input. */
  readonly channels: number;
  /** Where the input says it: a stream often does not. */
  readonly durationSeconds?: number;
}

/** An open recording: iterate it once for its samples. */
export interface AudioSource {
  readonly info: AudioInfo;
  /** Mono samples in [-1, 1] at the asked rate, in pieces of no fixed length, none empty. Not read ahead. */
  [Symbol.asyncIterator](): AsyncIterator<Float32Array>;
  /** Lets go of the file and any process. Done by itself at the end of an iteration. Safe to call again. */
  close(): Promise<void>;
}

/** How `openAudio` hands over its samples. */
export interface OpenAudioOptions {
  /** Of the output, in Hz. */
  readonly sampleRate: number;
  /** What messages call a stream; a path is called by itself. */
  readonly name?: string;
  /** `'wav'` refuses anything else instead of asking ffmpeg. */
  readonly only?: 'wav';
}

const READ_BYTES = 65_536;

/**
 * Opens a recording for reading as mono PCM at `sampleRate`: a path, `-` for standard input, or any byte stream. The
 * content tells what it is, not the name: WAV is read here, everything else by ffmpeg.
 *
 * @throws TesseraError `file_error` where it cannot be read, `bad_audio` where it is empty or damaged,
 * `unsupported_audio` where it is not audio of a known kind. The same codes may come while iterating.
 */
export async function openAudio(input: string | Readable, options: OpenAudioOptions): Promise<AudioSource> {
  const isStdin = input === '-' || input === process.stdin;
  const name =
    options.name ?? (isStdin ? 'standard input' : typeof input === 'string' ? input : 'the stream');
  const file = typeof input === 'string' && !isStdin ? await inspectFile(input) : undefined;
  const stream =
    typeof input === 'string'
      ? isStdin
        ? process.stdin
        : createReadStream(input, { highWaterMark: READ_BYTES })
      : input;
  const opening = new OpenedAudio(new ByteReader(stream), name);
  try {
    await opening.start(file, options);
    return opening;
  } catch (error) {
    await opening.close();
    throw asTesseraError(error, name);
  }
}

/** A whole recording at once, for short ones: mono samples at `sampleRate`. Throws what `openAudio` throws. */
export async function readAudio(input: string | Readable, options: OpenAudioOptions): Promise<Float32Array> {
  const source = await openAudio(input, options);
  const pieces: Float32Array[] = [];
  let samples = 0;
  for await (const piece of source) {
    pieces.push(piece);
    samples += piece.length;
  }
  const whole = new Float32Array(samples);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

interface InputFile {
  readonly path: string;
  /** Undefined for pipes and devices: they have no length, and can be read only once. */
  readonly bytes: number | undefined;
}

async function inspectFile(path: string): Promise<InputFile> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory())
      throw new TesseraError('file_error', `${path}: this is a directory, not a recording.`);
    return { path, bytes: stats.isFile() ? stats.size : undefined };
  } catch (error) {
    throw asTesseraError(error, path);
  }
}

class OpenedAudio implements AudioSource {
  readonly #input: ByteReader;
  readonly #name: string;
  #state: 'opening' | 'open' | 'reading' | 'closed' = 'opening';
  #info: AudioInfo | undefined;
  #decoding: FfmpegDecoding | undefined;
  /** True where ffmpeg gets its input from here and cannot seek in it. */
  #isPiped = false;
  /** Where the WAV stream comes from: the input itself, or ffmpeg. */
  #wav: { readonly reader: ByteReader; readonly header: WavHeader } | undefined;
  #pipeline: PcmPipeline | undefined;

  constructor(input: ByteReader, name: string) {
    this.#input = input;
    this.#name = name;
  }

  get info(): AudioInfo {
    if (this.#info === undefined) throw new TesseraError('bad_state', `${this.#name} is not open.`);
    return this.#info;
  }

  async start(file: InputFile | undefined, options: OpenAudioOptions): Promise<void> {
    const head = await this.#input.read(WAV_MAGIC_BYTES);
    if (head.length === 0) throw new TesseraError('bad_audio', `${this.#name}: it is empty.`);
    this.#input.unread(head);
    if (!isWav(head)) {
      if (options.only === 'wav')
        throw new TesseraError('bad_audio', `${this.#name}: this is not a WAV file.`);
      await this.#startFfmpeg(file);
    } else {
      const header = await readWavHeader(this.#input, this.#name);
      if (header.kind === 'foreign') {
        this.#input.unread(header.consumed);
        await this.#startFfmpeg(file);
      } else {
        if (file?.bytes !== undefined) checkDataBytes(header, file.bytes - header.headerBytes, this.#name);
        this.#wav = { reader: this.#input, header };
        this.#info = wavInfo(header, file);
      }
    }
    if (this.#wav === undefined) throw new TesseraError('bad_audio', `${this.#name}: it holds no audio.`);
    this.#pipeline = await PcmPipeline.create(this.#wav.header.format, options.sampleRate, this.#name);
    this.#state = 'open';
  }

  async #startFfmpeg(file: InputFile | undefined): Promise<void> {
    const isOpus = await holdsOpus(this.#input);
    // A pipe has been read from by now, so ffmpeg must get it from here.
    const input =
      file?.bytes === undefined ? Readable.from(this.#input.rest(), { objectMode: false }) : file.path;
    this.#isPiped = typeof input !== 'string';
    if (!this.#isPiped) this.#input.close();
    const decoding = await decodeWithFfmpeg(input, {
      name: this.#name,
      isOpus,
      inputWaits: () => this.#input.waiting,
    });
    this.#decoding = decoding;
    const reader = new ByteReader(decoding.output);
    const first = await reader.readSome(READ_BYTES);
    if (first === undefined) {
      await decoding.done;
      throw this.#noSamples();
    }
    reader.unread(first);
    const header = await readWavHeader(reader, this.#name);
    if (header.kind === 'foreign') throw new TesseraError('internal', `${this.#name}: ffmpeg wrote no PCM.`);
    const details = await decoding.details;
    this.#wav = { reader, header };
    this.#info = {
      container: details.container ?? 'unknown',
      codec: details.codec ?? 'unknown',
      sampleRate: header.format.sampleRate,
      channels: header.format.channels,
      ...(details.durationSeconds === undefined ? {} : { durationSeconds: details.durationSeconds }),
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Float32Array> {
    const wav = this.#wav;
    const pipeline = this.#pipeline;
    if (this.#state !== 'open' || wav === undefined || pipeline === undefined) {
      throw new TesseraError(
        'bad_state',
        `${this.#name} can be read only once, and not after it was closed.`,
      );
    }
    this.#state = 'reading';
    let anySamples = false;
    try {
      for await (const bytes of readWavData(wav.reader, wav.header, this.#name)) {
        const samples = pipeline.push(bytes);
        if (this.#isClosed()) return;
        if (samples.length > 0) yield samples;
        if (this.#isClosed()) return;
        anySamples = true;
      }
      await this.#decoding?.done;
      if (!anySamples) throw this.#noSamples();
      const rest = pipeline.flush();
      if (rest.length > 0) yield rest;
    } catch (error) {
      if (this.#isClosed()) return;
      throw asTesseraError(error, this.#name);
    } finally {
      await this.close();
    }
  }

  #noSamples(): TesseraError {
    const hint = this.#isPiped ? ' An MP4 whose index stands at its end can only be read as a file.' : '';
    return new TesseraError('bad_audio', `${this.#name}: it holds no samples.${hint}`);
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#pipeline?.close();
    this.#input.close();
    await this.#decoding?.close();
  }
}

function wavInfo(header: WavHeader, file: InputFile | undefined): AudioInfo {
  const { encoding, sampleRate, channels } = header.format;
  const fileBytes = file?.bytes === undefined ? undefined : file.bytes - header.headerBytes;
  const dataBytes = header.exact ? header.dataBytes : fileBytes;
  const bytesPerSecond = BYTES_PER_SAMPLE[encoding] * channels * sampleRate;
  return {
    container: 'wav',
    codec: `pcm_${encoding}`,
    sampleRate,
    channels,
    ...(dataBytes === undefined ? {} : { durationSeconds: dataBytes / bytesPerSecond }),
  };
}

function asTesseraError(error: unknown, name: string): TesseraError {
  if (error instanceof TesseraError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT')
    return new TesseraError('file_error', `${name}: there is no such file.`, { cause: error });
  if (code === 'EACCES') {
    return new TesseraError('file_error', `${name}: it may not be read (permission denied).`, {
      cause: error,
    });
  }
  const isSystemError =
    (error as NodeJS.ErrnoException).syscall !== undefined || code === 'ERR_STREAM_PREMATURE_CLOSE';
  return new TesseraError(isSystemError ? 'file_error' : 'internal', `${name}: ${message}`, { cause: error });
}
