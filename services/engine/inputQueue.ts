import { sliceFrames, type TokenBlock } from '../../protocol/tokens.js';

/** What a session's queue can hold between stretches of samples or tokens. */
export type InputMark = 'flush' | 'export';

type Entry =
  | { readonly kind: 'pcm'; samples: Float32Array }
  | { readonly kind: 'tokens'; block: TokenBlock }
  | { readonly kind: 'skip'; frameCount: number }
  | { readonly kind: 'mark'; readonly mark: InputMark };

/** The next thing to do of a session. */
export type InputPiece =
  | { readonly kind: 'pcm'; readonly samples: Float32Array }
  | { readonly kind: 'tokens'; readonly block: TokenBlock }
  | { readonly kind: 'skip'; readonly frameCount: number }
  | { readonly kind: 'mark'; readonly mark: InputMark };

/** What a session was sent and has not processed yet, in order. */
export class InputQueue {
  readonly #hop: number;
  #entries: Entry[] = [];

  /** `hop`: samples a frame. */
  constructor(hop: number) {
    this.#hop = hop;
  }

  /** Appends samples. */
  addPcm(samples: Float32Array): void {
    if (samples.length > 0) this.#entries.push({ kind: 'pcm', samples });
  }

  /** Appends frames of tokens. */
  addTokens(block: TokenBlock): void {
    this.#entries.push({ kind: 'tokens', block });
  }

  /** Appends frames to conceal. */
  addSkip(frameCount: number): void {
    this.#entries.push({ kind: 'skip', frameCount });
  }

  /** Appends something to do when all before has been done. */
  addMark(mark: InputMark): void {
    this.#entries.push({ kind: 'mark', mark });
  }

  /** Drops everything. */
  clear(): void {
    this.#entries = [];
  }

  /** Whole frames that can be taken by {@link take} now, up to `maxFrames`; a mark, and what it makes due, counts as 1. */
  readyFrames(maxFrames: number): number {
    const [first] = this.#entries;
    if (first === undefined) return 0;
    switch (first.kind) {
      case 'mark':
        return 1;
      case 'skip':
        return Math.min(first.frameCount, maxFrames);
      case 'tokens':
        return Math.min(first.block.frameCount, maxFrames);
      case 'pcm': {
        const { samples, endsInMark } = this.#pcmAhead(maxFrames * this.#hop);
        const frames = Math.min(maxFrames, Math.floor(samples / this.#hop));
        return frames === 0 && endsInMark ? 1 : frames;
      }
    }
  }

  /**
   * Takes so many frames of what {@link readyFrames} offered. Samples that do not fill a frame are taken only where a
   * mark follows them: they come as a piece of their own, and the mark as the next.
   */
  take(frames: number): InputPiece {
    const first = this.#entries[0];
    if (first === undefined) throw new RangeError('The queue is empty');
    if (first.kind === 'mark') {
      this.#entries.shift();
      return first;
    }
    if (first.kind === 'skip') {
      const frameCount = Math.min(frames, first.frameCount);
      first.frameCount -= frameCount;
      if (first.frameCount === 0) this.#entries.shift();
      return { kind: 'skip', frameCount };
    }
    if (first.kind === 'tokens') return { kind: 'tokens', block: this.#takeTokens(first, frames) };
    return { kind: 'pcm', samples: this.#takePcm(frames * this.#hop) };
  }

  #takeTokens(entry: { block: TokenBlock }, frames: number): TokenBlock {
    const { block } = entry;
    const start = block.firstFrameIndex;
    const taken = sliceFrames(block, start, start + frames) ?? block;
    const rest = sliceFrames(block, start + taken.frameCount, start + block.frameCount);
    if (rest === undefined) this.#entries.shift();
    else entry.block = rest;
    return taken;
  }

  #takePcm(count: number): Float32Array {
    const piece = new Float32Array(Math.min(count, this.#pcmAhead(count).samples));
    let filled = 0;
    while (filled < piece.length) {
      const entry = this.#entries[0];
      if (entry?.kind !== 'pcm') break;
      const part = entry.samples.subarray(0, piece.length - filled);
      piece.set(part, filled);
      filled += part.length;
      if (part.length === entry.samples.length) this.#entries.shift();
      else entry.samples = entry.samples.subarray(part.length);
    }
    return piece;
  }

  /** Samples in front, counted up to `enough`, and whether a mark comes right after them. */
  #pcmAhead(enough: number): { readonly samples: number; readonly endsInMark: boolean } {
    let samples = 0;
    for (const entry of this.#entries) {
      if (entry.kind !== 'pcm') return { samples, endsInMark: true };
      samples += entry.samples.length;
      if (samples >= enough) break;
    }
    return { samples, endsInMark: false };
  }
}
