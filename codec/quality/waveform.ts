import { TesseraError } from '../../protocol/errors.js';
import type { Signal } from './signal.js';

const SNR_FRAME_MS = 20;
const SNR_LOW_DB = -10;
const SNR_HIGH_DB = 35;
const SNR_SILENCE_DB = 40;

/**
 * Pearson correlation of the samples of aligned signals, over the length that both have: 1 for identical ones, 0 where
 * either is constant. It tells waveform coding from coding of mere envelopes.
 */
export function waveformCorrelation(reference: Signal, degraded: Signal): number {
  const length = Math.min(reference.length, degraded.length);
  let sumX = 0;
  let sumY = 0;
  for (let index = 0; index < length; index++) {
    sumX += reference[index]!;
    sumY += degraded[index]!;
  }
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (let index = 0; index < length; index++) {
    const x = reference[index]! - sumX / length;
    const y = degraded[index]! - sumY / length;
    xx += x * x;
    yy += y * y;
    xy += x * y;
  }
  const scale = Math.sqrt(xx * yy);
  return scale > 0 ? xy / scale : 0;
}

/**
 * Segmental signal-to-noise ratio of aligned signals in dB: mean over frames of 20 ms, each held to -10..35 dB. Frames
 * of the reference more than 40 dB under its loudest do not count.
 *
 * @throws TesseraError `bad_audio` where no frame of the reference has any sound.
 */
export function segmentalSnr(reference: Signal, degraded: Signal, sampleRate: number): number {
  const size = Math.round((SNR_FRAME_MS / 1000) * sampleRate);
  const frameCount = Math.floor(Math.min(reference.length, degraded.length) / size);
  const frames = Array.from({ length: frameCount }, (_, frame) => {
    let signal = 0;
    let noise = 0;
    for (let index = frame * size; index < (frame + 1) * size; index++) {
      signal += reference[index]! ** 2;
      noise += (reference[index]! - degraded[index]!) ** 2;
    }
    return { signal, noise };
  });
  const loudest = frames.reduce((most, { signal }) => Math.max(most, signal), 0);
  const active = frames.filter(({ signal }) => signal > loudest * 10 ** (-SNR_SILENCE_DB / 10));
  if (active.length === 0) {
    throw new TesseraError('bad_audio', 'The reference is silent: there is no signal to hold noise against.');
  }
  const ratiosDb = active.map(({ signal, noise }) =>
    Math.min(
      SNR_HIGH_DB,
      Math.max(SNR_LOW_DB, 10 * Math.log10((signal + Number.EPSILON) / (noise + Number.EPSILON))),
    ),
  );
  return ratiosDb.reduce((sum, ratio) => sum + ratio, 0) / active.length;
}
