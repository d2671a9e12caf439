import { MelSpectrum } from '../dsp/melSpectrum.js';
import type { Rgb } from './colour.js';
import { paintStrip, SPAN_SECONDS, type TimeWindow } from './painting.js';
import { Strip } from './strip.js';

const BANDS = 96;
const COLUMNS_PER_SECOND = 100;
/** Of silence that is drawn for samples that never came; a longer hole stays empty. */
const MAX_HOLE_SECONDS = 1;

/** The scrolling spectrogram of one track: time to the right, mel frequency up. */
export class SpectrogramView {
  readonly #canvas: HTMLCanvasElement;
  readonly #sampleRate: number;
  readonly #hop: number;
  readonly #strip = new Strip(SPAN_SECONDS * COLUMNS_PER_SECOND + COLUMNS_PER_SECOND, BANDS);
  #spectrum: MelSpectrum;
  #columns = 0;
  #next = 0;

  constructor(canvas: HTMLCanvasElement, sampleRate: number) {
    this.#canvas = canvas;
    this.#sampleRate = sampleRate;
    this.#hop = Math.round(sampleRate / COLUMNS_PER_SECOND);
    this.#spectrum = this.#newSpectrum();
  }

  /** Samples of the track from position `first` on. */
  push(pcm: Float32Array, first = this.#next): void {
    const hole = first - this.#next;
    if (hole > MAX_HOLE_SECONDS * this.#sampleRate) {
      this.#spectrum = this.#newSpectrum();
      this.#columns = Math.ceil(first / this.#hop);
    } else if (hole > 0) this.#analyse(new Float32Array(hole));
    this.#next = first + pcm.length;
    this.#analyse(pcm);
  }

  /** Draws the part of the track that lies in the window. */
  draw(window: TimeWindow, colours: readonly Rgb[], empty: Rgb): void {
    paintStrip(
      this.#canvas,
      this.#strip,
      COLUMNS_PER_SECOND,
      window,
      true,
      (value) => colours[value] ?? empty,
    );
    this.#canvas.dataset['columns'] = String(this.#strip.end);
  }

  #analyse(pcm: Float32Array): void {
    this.#spectrum.push(pcm, (levels) => {
      this.#strip.put(this.#columns, levels);
      this.#columns += 1;
    });
  }

  #newSpectrum(): MelSpectrum {
    return new MelSpectrum({ sampleRate: this.#sampleRate, hop: this.#hop, bands: BANDS });
  }
}
