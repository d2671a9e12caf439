import { encode } from 'fast-png';
import { shortTimeMagnitudes } from '../../../codec/quality/signal.js';

const WINDOW_MS = 25;
const HOP_MS = 10;
const FFT_SIZE = 1024;
const ROWS = 128;
const LOUDEST_DB = 20;
const RANGE_DB = 80;

/** A grey PNG: time to the right, a column each 10 ms; frequency upwards, linear to half of the rate; louder is darker. */
export function spectrogramPng(samples: Float32Array, sampleRate: number): Uint8Array {
  const size = (WINDOW_MS * sampleRate) / 1000;
  const window = Float64Array.from(
    { length: size },
    (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / size),
  );
  const hop = (HOP_MS * sampleRate) / 1000;
  const { frameCount, binCount, magnitudes } = shortTimeMagnitudes(samples, window, hop, FFT_SIZE);
  const data = new Uint8Array(frameCount * ROWS);
  const binsInRow = (binCount - 1) / ROWS;
  for (let row = 0; row < ROWS; row += 1) {
    for (let frame = 0; frame < frameCount; frame += 1) {
      let most = 0;
      for (let bin = 0; bin < binsInRow; bin += 1) {
        const at = frame * binCount + (ROWS - 1 - row) * binsInRow + bin;
        most = Math.max(most, magnitudes[at] ?? 0);
      }
      const below = (LOUDEST_DB - 20 * Math.log10(most + Number.EPSILON)) / RANGE_DB;
      data[row * frameCount + frame] = Math.round(255 * Math.min(1, Math.max(0, below)));
    }
  }
  return encode({ width: frameCount, height: ROWS, data, channels: 1 });
}
