/** How one sample lies in memory, little-endian; `u8` is offset binary, as WAV has it. */
export type SampleEncoding = 'u8' | 's16' | 's24' | 's32' | 'f32' | 'f64';

/** Bytes of one sample of one channel. */
export const BYTES_PER_SAMPLE: Readonly<Record<SampleEncoding, number>> = {
  u8: 1,
  s16: 2,
  s24: 3,
  s32: 4,
  f32: 4,
  f64: 8,
};

/** Interleaved PCM. */
export interface PcmFormat {
  readonly encoding: SampleEncoding;
  readonly sampleRate: number;
  readonly channels: number;
}

/** Format tags of the `fmt ` chunk. */
export const WAVE_FORMAT = { pcm: 0x0001, float: 0x0003, extensible: 0xfffe } as const;

/** A size field that says "unknown": the file was written to a pipe. */
export const UNKNOWN_SIZE = 0xffff_ffff;

/** Length in bytes of what `writeWavHeader` writes. */
export const WAV_HEADER_BYTES = 44;

/**
 * Writes the 44 bytes of the plain WAV header at the start of `view`.
 * `dataBytes` is the length of the samples that follow, or `UNKNOWN_SIZE`.
 */
export function writeWavHeader(view: DataView, format: PcmFormat, dataBytes: number): void {
  const bytesPerSample = BYTES_PER_SAMPLE[format.encoding];
  const blockBytes = bytesPerSample * format.channels;
  const isFloat = format.encoding === 'f32' || format.encoding === 'f64';
  const riffBytes = dataBytes + WAV_HEADER_BYTES - 8;
  writeTag(view, 0, 'RIFF');
  view.setUint32(4, riffBytes > UNKNOWN_SIZE ? UNKNOWN_SIZE : riffBytes, true);
  writeTag(view, 8, 'WAVE');
  writeTag(view, 12, 'fmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, isFloat ? WAVE_FORMAT.float : WAVE_FORMAT.pcm, true);
  view.setUint16(22, format.channels, true);
  view.setUint32(24, format.sampleRate, true);
  view.setUint32(28, format.sampleRate * blockBytes, true);
  view.setUint16(32, blockBytes, true);
  view.setUint16(34, bytesPerSample * 8, true);
  writeTag(view, 36, 'data');
  view.setUint32(40, Math.min(dataBytes, UNKNOWN_SIZE), true);
}

function writeTag(view: DataView, offset: number, tag: string): void {
  for (let index = 0; index < tag.length; index++) view.setUint8(offset + index, tag.charCodeAt(index));
}
