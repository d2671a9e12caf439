import type { Rgb } from './colour.js';
import type { Strip } from './strip.js';

/** Sound that fits in a view. */
export const SPAN_SECONDS = 6;

/** What views show, in seconds of the source's time line. */
export interface TimeWindow {
  /** At the right edge. */
  readonly end: number;
  /** What is heard now, for the line; undefined: nothing is. */
  readonly head: number | undefined;
  /** Of that line. */
  readonly headColour: string;
}

/** Fits the pixels of a canvas to its size on the screen. */
export function fitCanvas(canvas: HTMLCanvasElement): CanvasRenderingContext2D | undefined {
  const scale = Math.min(2, devicePixelRatio);
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  if (width === 0 || height === 0) return undefined;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return canvas.getContext('2d') ?? undefined;
}

const buffers = new WeakMap<
  HTMLCanvasElement,
  { readonly image: ImageData; readonly canvas: OffscreenCanvas }
>();

/** Draws the columns of a strip that lie in the window, row 0 at the bottom where `isUpward`, else at the top. */
export function paintStrip(
  canvas: HTMLCanvasElement,
  strip: Strip,
  columnsPerSecond: number,
  { end, head, headColour }: TimeWindow,
  isUpward: boolean,
  colourOf: (value: number, row: number) => Rgb,
): void {
  const context = fitCanvas(canvas);
  if (context === undefined) return;
  const columns = SPAN_SECONDS * columnsPerSecond + 1;
  const { rows } = strip;
  let buffer = buffers.get(canvas);
  if (buffer?.image.width !== columns || buffer.image.height !== rows) {
    buffer = { image: new ImageData(columns, rows), canvas: new OffscreenCanvas(columns, rows) };
    buffers.set(canvas, buffer);
  }
  const { data } = buffer.image;
  const lastColumn = Math.ceil(end * columnsPerSecond);
  for (let row = 0; row < rows; row += 1) {
    const y = isUpward ? rows - 1 - row : row;
    for (let x = 0; x < columns; x += 1) {
      const value = strip.at(lastColumn - columns + x, row);
      const [red, green, blue] = colourOf(value, row);
      const at = 4 * (y * columns + x);
      data[at] = red;
      data[at + 1] = green;
      data[at + 2] = blue;
      data[at + 3] = value < 0 ? 0 : 255;
    }
  }
  buffer.canvas.getContext('2d')?.putImageData(buffer.image, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = isUpward;
  const columnWidth = canvas.width / (columns - 1);
  // The part of a column by which time has not reached its end.
  const shift = (lastColumn - end * columnsPerSecond) * columnWidth;
  context.drawImage(buffer.canvas, shift - columnWidth, 0, columns * columnWidth, canvas.height);
  if (head === undefined) return;
  const x = canvas.width - (end - head) * columnsPerSecond * columnWidth;
  context.fillStyle = headColour;
  context.fillRect(Math.round(x) - 1, 0, 2, canvas.height);
}
