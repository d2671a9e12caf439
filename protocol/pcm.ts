import { TesseraError } from './errors.js';

/** Raw sample formats: little-endian, channels interleaved. */
export const PCM_FORMATS = ['pcm_s16le', 'pcm_f32le'] as const;
/** One of {@link PCM_FORMATS}. */
export type PcmFormat = (typeof PCM_FORMATS)[number];

/** Bytes of one sample of one channel. */
export function bytesPerSample(format: PcmFormat): number {
  return format === 'pcm_s16le' ? 2 : 4;
}

/**
 * Samples below this, 400 dB under full scale, count as silence. Arithmetic on numbers near the smallest makes a run several
 * times longer on most processors, and a sender of such samples would slow all sessions of a batch.
 */
const LEAST_SAMPLE = 1e-20;

/** A sample as encoders take it: within [-1, 1], and nothing too small for quick arithmetic. */
export function boundSample(sample: number): number {
  return Math.abs(sample) < LEAST_SAMPLE ? 0 : Math.min(1, Math.max(-1, sample));
}

/** Samples in [-1, 1] as bytes. For `pcm_s16le` they are scaled by 32,768, rounded and clipped; NaN becomes 0. */
export function encodePcm(samples: Float32Array, format: PcmFormat): Uint8Array {
  const bytes = new Uint8Array(samples.length * bytesPerSample(format));
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < samples.length; index += 1) {
    const sample = samples[index] ?? 0;
    if (format === 'pcm_f32le') view.setFloat32(4 * index, sample, true);
    else view.setInt16(2 * index, Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))), true);
  }
  return bytes;
}

/**
 * Bytes as samples, the inverse of {@link encodePcm}.
 * @throws TesseraError `bad_audio` when the bytes are not whole samples.
 */
export function decodePcm(bytes: Uint8Array, format: PcmFormat): Float32Array {
  const size = bytesPerSample(format);
  if (bytes.length % size !== 0) {
    throw new TesseraError(
      'bad_audio',
      `${bytes.length} bytes are not whole ${format} samples of ${size} bytes`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(bytes.length / size);
  for (let index = 0; index < samples.length; index += 1) {
    samples[index] =
      format === 'pcm_f32le' ? view.getFloat32(4 * index, true) : view.getInt16(2 * index, true) / 32_768;
  }
  return samples;
}
