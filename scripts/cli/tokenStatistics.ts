import type { TokenBlock } from '../../protocol/tokens.js';

/** How one codebook is used. */
export interface CodebookUse {
  /** Frames that have a code of it. */
  readonly frames: number;
  /** Different codes among them. */
  readonly codesUsed: number;
  /** Of the distribution of its codes, in bits a code: what ideal entropy coding of single codes would take. */
  readonly entropyBits: number;
}

/** Counts codes as they come. Memory grows with the number of different codes, not with the length. */
export class TokenStatistics {
  readonly #countsOf: Map<number, number>[] = [];
  #codes = 0;

  /** Codes so far, of all codebooks. */
  get codes(): number {
    return this.#codes;
  }

  /** Counts the codes of a block. */
  add({ quantizers, frameCount, codes }: TokenBlock): void {
    this.#codes += codes.length;
    for (let quantizer = 0; quantizer < quantizers; quantizer++) {
      const counts = (this.#countsOf[quantizer] ??= new Map<number, number>());
      for (const code of codes.subarray(quantizer * frameCount, (quantizer + 1) * frameCount)) {
        counts.set(code, (counts.get(code) ?? 0) + 1);
      }
    }
  }

  /** From the coarsest codebook on. */
  codebooks(): CodebookUse[] {
    return this.#countsOf.map((counts) => {
      let frames = 0;
      let sum = 0;
      for (const count of counts.values()) {
        frames += count;
        sum += count * Math.log2(count);
      }
      const entropyBits = frames === 0 ? 0 : Math.max(0, Math.log2(frames) - sum / frames);
      return { frames, codesUsed: counts.size, entropyBits };
    });
  }
}
