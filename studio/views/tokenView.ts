import type { ModelSummary, TokenBlock } from '../../sdk/index.js';
import type { Rgb } from './colour.js';
import { paintStrip, SPAN_SECONDS, type TimeWindow } from './painting.js';
import { Strip } from './strip.js';

/** The scrolling grid of tokens: one row a codebook, the coarsest on top; one column a frame; colour by code. */
export class TokenView {
  readonly #canvas: HTMLCanvasElement;
  readonly #frameRate: number;
  readonly #strip: Strip;

  constructor(canvas: HTMLCanvasElement, model: ModelSummary) {
    this.#canvas = canvas;
    this.#frameRate = model.frameRate;
    this.#strip = new Strip(Math.ceil((SPAN_SECONDS + 1) * model.frameRate), model.quantizers);
  }

  /** Frames that have arrived. */
  push({ firstFrameIndex, frameCount, quantizers, codes }: TokenBlock): void {
    for (let frame = 0; frame < frameCount; frame += 1) {
      const column = Array.from({ length: quantizers }, (_, q) => codes[q * frameCount + frame]!);
      this.#strip.put(firstFrameIndex + frame, column);
    }
  }

  /** Draws the frames that lie in the window. */
  draw(window: TimeWindow, colours: readonly Rgb[], empty: Rgb): void {
    paintStrip(this.#canvas, this.#strip, this.#frameRate, window, false, (code) => colours[code] ?? empty);
    this.#canvas.dataset['frames'] = String(this.#strip.end);
    this.#parts();
  }

  /** Thin joints between the rows, as between tiles. */
  #parts(): void {
    const context = this.#canvas.getContext('2d');
    if (context === null) return;
    const height = this.#canvas.height / this.#strip.rows;
    for (let row = 1; row < this.#strip.rows; row += 1) {
      context.clearRect(0, Math.round(row * height) - 1, this.#canvas.width, 2);
    }
  }
}
