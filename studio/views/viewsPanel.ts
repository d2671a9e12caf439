import type { ModelSummary, TokenBlock } from '../../sdk/index.js';
import { element } from '../elements.js';
import { codeColours, oklch, ramp, type Rgb } from './colour.js';
import { SPAN_SECONDS, type TimeWindow } from './painting.js';
import { SpectrogramView } from './spectrogramView.js';
import { TokenView } from './tokenView.js';

interface Palette {
  readonly empty: Rgb;
  readonly original: readonly Rgb[];
  readonly resynthesis: readonly Rgb[];
  readonly codes: readonly Rgb[];
  readonly head: string;
}

const ORIGINAL_HUE = 212;
const RESYNTHESIS_HUE = 45;

/** Spectrograms of both tracks and the token grid, on one time axis whose right edge is the newest sound. */
export class ViewsPanel {
  readonly #model: ModelSummary;
  #original!: SpectrogramView;
  #resynthesis!: SpectrogramView;
  #tokens!: TokenView;
  #palette: Palette;

  constructor(model: ModelSummary) {
    this.#model = model;
    this.clear();
    this.#palette = paletteOf(model.codebookSize);
  }

  /** Starts over, for a new source. */
  clear(): void {
    const model = this.#model;
    this.#original = new SpectrogramView(
      element('original-spectrogram', HTMLCanvasElement),
      model.sampleRate,
    );
    this.#resynthesis = new SpectrogramView(
      element('resynthesis-spectrogram', HTMLCanvasElement),
      model.sampleRate,
    );
    this.#tokens = new TokenView(element('token-grid', HTMLCanvasElement), model);
  }

  /** The next samples of the original. */
  pushOriginal(pcm: Float32Array): void {
    this.#original.push(pcm);
  }

  /** Samples of the resynthesis from position `first` on. */
  pushResynthesis(pcm: Float32Array, first: number): void {
    this.#resynthesis.push(pcm, first);
  }

  /** Frames of tokens. */
  pushTokens(block: TokenBlock): void {
    this.#tokens.push(block);
  }

  /** Takes the colours of the page anew. */
  recolour(): void {
    this.#palette = paletteOf(this.#model.codebookSize);
  }

  /** Draws all, up to sample `end` of the source, with a line at the sample that is heard. */
  draw(end: number, head: number | undefined): void {
    const { sampleRate } = this.#model;
    const palette = this.#palette;
    const window: TimeWindow = {
      end: Math.max(end / sampleRate, SPAN_SECONDS),
      head: head === undefined ? undefined : head / sampleRate,
      headColour: palette.head,
    };
    this.#original.draw(window, palette.original, palette.empty);
    this.#resynthesis.draw(window, palette.resynthesis, palette.empty);
    this.#tokens.draw(window, palette.codes, palette.empty);
  }
}

function paletteOf(codebookSize: number): Palette {
  const style = getComputedStyle(document.documentElement);
  const isDark = style.colorScheme === 'dark';
  const empty: Rgb = isDark ? [38, 36, 32] : [240, 236, 227];
  const track = (hue: number): readonly Rgb[] =>
    ramp(
      isDark
        ? [
            empty,
            oklch(0.3, 0.04, hue),
            oklch(0.5, 0.09, hue),
            oklch(0.72, 0.12, hue),
            oklch(0.95, 0.05, hue),
          ]
        : [
            empty,
            oklch(0.88, 0.03, hue),
            oklch(0.72, 0.09, hue),
            oklch(0.5, 0.12, hue),
            oklch(0.26, 0.06, hue),
          ],
    );
  return {
    empty,
    original: track(ORIGINAL_HUE),
    resynthesis: track(RESYNTHESIS_HUE),
    codes: codeColours(codebookSize, isDark ? 0.68 : 0.66, 0.105),
    head: style.getPropertyValue('--ink'),
  };
}
