import { TesseraError } from '../../protocol/errors.js';
import type { ByteReader } from './byteReader.js';
import { checkAudioShape } from './limits.js';
import { BYTES_PER_SAMPLE, UNKNOWN_SIZE, WAVE_FORMAT } from './wavFormat.js';
import type { PcmFormat, SampleEncoding } from './wavFormat.js';

/** What a WAV header says, when its samples are PCM that `PcmDecoder` reads. */
export interface WavHeader {
  readonly kind: 'pcm';
  readonly format: PcmFormat;
  /** Length of the samples; undefined where the writer could not know it (a pipe) and the stream's end decides. */
  readonly dataBytes: number | undefined;
  /** False where the writer set a size only as a bound, so that fewer bytes are no damage. */
  readonly exact: boolean;
  /** Bytes from the start of the file to the first sample. */
  readonly headerBytes: number;
}

/** A WAV file that holds something else (A-law, ADPCM, MP3...). `consumed` is what was read of it so far. */
export interface ForeignWav {
  readonly kind: 'foreign';
  readonly consumed: Uint8Array;
}

/** Bytes that tell a RIFF/WAVE file. */
export const WAV_MAGIC_BYTES = 12;

/** The `fmt ` chunk stands at the start; a file that hides it behind more than this is not worth reading. */
const MAX_BYTES_BEFORE_FORMAT = 65_536;
const MAX_FORMAT_BYTES = 4_096;
/** SoX, arecord and others write sizes from here up when they write to a pipe. */
const LEAST_BOUND_SIZE = 0x7fff_0000;
/** The last 14 bytes of the GUIDs of the extensible header whose first 2 are a plain format tag. */
const GUID_TAIL = '000000001000800000aa00389b71';

/** True where `head`, the first 12 bytes of a file, is that of a WAV file. RF64 and RIFX are left to ffmpeg. */
export function isWav(head: Uint8Array): boolean {
  return head.length >= WAV_MAGIC_BYTES && tagAt(head, 0) === 'RIFF' && tagAt(head, 8) === 'WAVE';
}

/**
 * Reads a WAV header, up to the first sample. `name` is the file or stream, for messages.
 * @throws TesseraError `bad_audio` for a damaged header, `unsupported_audio` for a rate or channel count out of range.
 */
export async function readWavHeader(reader: ByteReader, name: string): Promise<WavHeader | ForeignWav> {
  const consumed: Uint8Array[] = [];
  let headerBytes = 0;
  const take = async (length: number, what: string): Promise<Uint8Array> => {
    const bytes = await reader.read(length);
    headerBytes += bytes.length;
    consumed.push(bytes);
    if (bytes.length < length) {
      throw new TesseraError('bad_audio', `${name}: the WAV header is cut off in ${what}.`);
    }
    return bytes;
  };

  const riff = await take(WAV_MAGIC_BYTES, 'its first 12 bytes');
  if (!isWav(riff)) throw new TesseraError('bad_audio', `${name}: this is not a WAV file.`);
  const riffBytes = uint32At(riff, 4);

  let format: PcmFormat | undefined;
  for (;;) {
    const chunk = await take(
      8,
      format === undefined ? 'the chunks before "fmt "' : 'the chunks before "data"',
    );
    const tag = tagAt(chunk, 0);
    const chunkBytes = uint32At(chunk, 4);
    if (tag === 'data') {
      if (format === undefined) {
        throw new TesseraError('bad_audio', `${name}: the WAV file has no "fmt " chunk before its samples.`);
      }
      return { kind: 'pcm', format, headerBytes, ...dataSize(chunkBytes, riffBytes) };
    }
    if (tag === 'fmt ' && format === undefined) {
      if (chunkBytes < 16 || chunkBytes > MAX_FORMAT_BYTES) {
        throw new TesseraError('bad_audio', `${name}: the WAV "fmt " chunk has ${chunkBytes} bytes.`);
      }
      format = parseFormat(await take(chunkBytes + (chunkBytes % 2), 'the "fmt " chunk'), name);
      if (format === undefined) return { kind: 'foreign', consumed: Buffer.concat(consumed) };
      continue;
    }
    const paddedBytes = chunkBytes + (chunkBytes % 2);
    if (format === undefined && headerBytes + paddedBytes > MAX_BYTES_BEFORE_FORMAT) {
      throw new TesseraError('bad_audio', `${name}: the WAV file has no "fmt " chunk at its start.`);
    }
    if (format === undefined) {
      await take(paddedBytes, `the ${JSON.stringify(tag)} chunk`);
    } else {
      const skipped = await reader.skip(paddedBytes);
      headerBytes += skipped;
      if (skipped < paddedBytes) {
        throw new TesseraError('bad_audio', `${name}: the WAV file ends before its samples.`);
      }
    }
  }
}

/**
 * The samples' bytes, as they come.
 * @throws TesseraError `bad_audio`, after the last byte, where there are fewer than the header promises.
 */
export async function* readWavData(
  reader: ByteReader,
  header: WavHeader,
  name: string,
): AsyncGenerator<Uint8Array> {
  let leftBytes = header.dataBytes ?? Infinity;
  while (leftBytes > 0) {
    const bytes = await reader.readSome(leftBytes);
    if (bytes === undefined) break;
    leftBytes -= bytes.length;
    yield bytes;
  }
  if (header.dataBytes !== undefined) checkDataBytes(header, header.dataBytes - leftBytes, name);
}

/**
 * Compares the samples that are there with what the header says.
 * @throws TesseraError `bad_audio` with both figures.
 */
export function checkDataBytes(header: WavHeader, actualBytes: number, name: string): void {
  if (header.dataBytes === undefined || !header.exact || actualBytes >= header.dataBytes) return;
  throw new TesseraError(
    'bad_audio',
    `${name}: the WAV file is cut off: its header says ${header.dataBytes} bytes of samples, ` +
      `only ${actualBytes} are there.`,
  );
}

function dataSize(dataBytes: number, riffBytes: number): Pick<WavHeader, 'dataBytes' | 'exact'> {
  // A recorder that was stopped by force leaves both sizes at zero; a file of no samples has a RIFF size.
  const neverFilledIn = dataBytes === 0 && (riffBytes === 0 || riffBytes === UNKNOWN_SIZE);
  if (neverFilledIn || dataBytes === UNKNOWN_SIZE) return { dataBytes: undefined, exact: false };
  return { dataBytes, exact: dataBytes < LEAST_BOUND_SIZE };
}

/** Undefined where the samples are not PCM of a kind that is read here. */
function parseFormat(chunk: Uint8Array, name: string): PcmFormat | undefined {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  let tag = view.getUint16(0, true);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const blockBytes = view.getUint16(12, true);
  const bits = view.getUint16(14, true);
  checkAudioShape(name, sampleRate, channels);
  if (tag === WAVE_FORMAT.extensible && chunk.length >= 40) {
    const guid = Buffer.from(chunk.subarray(24, 40));
    if (guid.toString('hex', 2) !== GUID_TAIL) return undefined;
    tag = guid.readUInt16LE(0);
  }
  const encoding = sampleEncoding(tag, bits);
  if (encoding === undefined) return undefined;
  const expectedBlockBytes = BYTES_PER_SAMPLE[encoding] * channels;
  if (blockBytes !== expectedBlockBytes) {
    throw new TesseraError(
      'bad_audio',
      `${name}: the WAV header contradicts itself: ${channels} channels of ${bits} bits make ` +
        `${expectedBlockBytes} bytes, not ${blockBytes}.`,
    );
  }
  return { encoding, sampleRate, channels };
}

function sampleEncoding(tag: number, bits: number): SampleEncoding | undefined {
  if (tag === WAVE_FORMAT.float) {
    if (bits === 32) return 'f32';
    return bits === 64 ? 'f64' : undefined;
  }
  if (tag !== WAVE_FORMAT.pcm) return undefined;
  // Odd widths such as 12 or 20 bits lie at the top of the next whole number of bytes.
  const encodings: readonly (SampleEncoding | undefined)[] = [undefined, 'u8', 's16', 's24', 's32'];
  return encodings[Math.ceil(bits / 8)];
}

function tagAt(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}

function uint32At(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
}
