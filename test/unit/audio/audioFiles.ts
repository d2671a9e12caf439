import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { TesseraError } from '../../../protocol/errors.js';

/** Path of a recording in test/fixtures, seen from the compiled test. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
}

/** The 16-bit samples of a fixture, read without the code under test: its header is the plain one of 44 bytes. */
export function fixtureSamples(name: string): Int16Array {
  const bytes = readFileSync(fixturePath(name));
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset + 44, bytes.byteOffset + bytes.length));
}

/** Real speech as floats, exactly the 16-bit values over 32768. */
export function fixtureFloats(name: string): Float32Array {
  return Float32Array.from(fixtureSamples(name), (sample) => sample / 32_768);
}

/** A directory for one test file, and how to remove it. */
export function temporaryDirectory(): { path: (name: string) => string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'tessera-audio-'));
  return {
    path: (name) => join(directory, name),
    remove: () => {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface WavParts {
  readonly formatTag?: number;
  readonly channels?: number;
  readonly sampleRate?: number;
  readonly bits?: number;
  readonly blockBytes?: number;
  /** Writes the extensible header around `formatTag`. */
  readonly extensible?: boolean;
  /** Chunks put before `fmt ` and between it and `data`. */
  readonly before?: Buffer;
  readonly between?: Buffer;
  readonly dataBytes?: number;
  readonly riffBytes?: number;
  readonly after?: Buffer;
}

/** A WAV file with any header one likes, right or wrong. */
export function wavFile(data: Buffer, parts: WavParts = {}): Buffer {
  const { formatTag = 1, channels = 1, sampleRate = 24_000, bits = 16 } = parts;
  const blockBytes = parts.blockBytes ?? (channels * bits) / 8;
  const format = Buffer.alloc(parts.extensible ? 40 : 16);
  format.writeUInt16LE(parts.extensible ? 0xfffe : formatTag, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(sampleRate, 4);
  format.writeUInt32LE((sampleRate * blockBytes) >>> 0, 8);
  format.writeUInt16LE(blockBytes, 12);
  format.writeUInt16LE(bits, 14);
  if (parts.extensible) {
    format.writeUInt16LE(22, 16);
    format.writeUInt16LE(bits, 18);
    format.writeUInt16LE(formatTag, 24);
    Buffer.from('000000001000800000aa00389b71', 'hex').copy(format, 26);
  }
  const body = Buffer.concat([
    Buffer.from('WAVE'),
    parts.before ?? Buffer.alloc(0),
    chunk('fmt ', format),
    parts.between ?? Buffer.alloc(0),
    chunk('data', data, parts.dataBytes),
    parts.after ?? Buffer.alloc(0),
  ]);
  const riff = Buffer.alloc(8);
  riff.write('RIFF', 0, 'latin1');
  riff.writeUInt32LE(parts.riffBytes ?? body.length, 4);
  return Buffer.concat([riff, body]);
}

/** A RIFF chunk, padded to an even length as the format wants. */
export function chunk(tag: string, content: Buffer, size = content.length): Buffer {
  const header = Buffer.alloc(8);
  header.write(tag, 0, 'latin1');
  header.writeUInt32LE(size, 4);
  return Buffer.concat([header, content, Buffer.alloc(content.length % 2)]);
}

/** `bytes` as a stream in pieces of the given sizes, over and over. */
export function streamOf(bytes: Uint8Array, sizes: readonly number[] = [4_096]): Readable {
  return Readable.from(pieces(bytes, sizes), { objectMode: false });
}

export function* pieces<T extends Uint8Array | Float32Array>(all: T, sizes: readonly number[]): Generator<T> {
  for (let start = 0, turn = 0; start < all.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield all.subarray(start, start + size) as T;
    start += size;
  }
}

export function concat(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

export async function collect(source: AsyncIterable<Float32Array>): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for await (const part of source) parts.push(part);
  return concat(parts);
}

/** The error that `action` ends in; fails where it ends well or with an error that has no code. */
export async function errorOf(action: Promise<unknown>): Promise<TesseraError> {
  try {
    await action;
  } catch (error) {
    if (error instanceof TesseraError) return error;
    throw error;
  }
  throw new Error('It was expected to fail.');
}

/** Largest difference between two signals of one length, in dB of full scale. */
export function differenceDb(first: Float32Array, second: Float32Array): number {
  expect(first.length).toBe(second.length);
  let largest = 0;
  for (let index = 0; index < first.length; index++) {
    largest = Math.max(largest, Math.abs((first[index] ?? 0) - (second[index] ?? 0)));
  }
  return 20 * Math.log10(largest);
}

/** Child processes of this one. A process that is gone leaves its handle for a turn of the event loop or two. */
export async function childProcessCount(): Promise<number> {
  const count = (): number =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'ProcessWrap').length;
  for (let turn = 0; turn < 10 && count() > 0; turn++) await new Promise((resolve) => setImmediate(resolve));
  return count();
}
