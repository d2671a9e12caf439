import { fitCanvas } from './painting.js';

/** A moment of the link. */
export interface LinkMoment {
  /** Codes a second that the server sends, in bits. */
  readonly bitsPerSecond: number;
  /** Of the link; Infinity: no bound. */
  readonly linkBitsPerSecond: number;
}

/** Of the past that is drawn. */
const MOMENTS = 120;

/** The bitrate that the controller chose beside the rate of the link, over the last half minute. */
export class LinkChart {
  readonly #canvas: HTMLCanvasElement;
  readonly #moments: LinkMoment[] = [];

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
  }

  /** Adds a moment; call it four times a second. */
  push(moment: LinkMoment): void {
    this.#moments.push(moment);
    if (this.#moments.length > MOMENTS) this.#moments.shift();
  }

  /** Forgets the past. */
  clear(): void {
    this.#moments.length = 0;
  }

  /** Draws it; `topBitsPerSecond` is the height of the chart. */
  draw(topBitsPerSecond: number, linkColour: string, codesColour: string, lineColour: string): void {
    const context = fitCanvas(this.#canvas);
    if (context === undefined) return;
    const { width, height } = this.#canvas;
    context.clearRect(0, 0, width, height);
    const scale = width / this.#canvas.clientWidth;
    context.fillStyle = lineColour;
    context.fillRect(0, height - scale, width, scale);
    const draw = (colour: string, valueOf: (moment: LinkMoment) => number): void => {
      context.beginPath();
      context.strokeStyle = colour;
      context.lineWidth = 1.75 * scale;
      const first = MOMENTS - this.#moments.length;
      let previous: number | undefined;
      for (const [index, moment] of this.#moments.entries()) {
        const x = ((first + index) / (MOMENTS - 1)) * width;
        const share = Math.min(1, valueOf(moment) / topBitsPerSecond);
        const y = height - 2 * scale - share * (height - 4 * scale);
        if (previous === undefined) context.moveTo(x, y);
        else {
          context.lineTo(x, previous);
          context.lineTo(x, y);
        }
        previous = y;
      }
      context.stroke();
    };
    draw(linkColour, (moment) => moment.linkBitsPerSecond);
    draw(codesColour, (moment) => moment.bitsPerSecond);
  }
}
