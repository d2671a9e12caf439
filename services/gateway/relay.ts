import { takeQuantizers, type TokenBlock } from '../../protocol/tokens.js';
import type { EngineResult } from '../engine/index.js';
import type { PublishedStream } from './streamHub.js';
import type { TokenSink } from './tokenInput.js';

/** What a {@link Relay} works with. */
export interface RelayOptions {
  readonly stream: PublishedStream;
  /** Codebooks in force. */
  readonly quantizers: () => number;
  /** All frames below have been published, or are known to be missing. */
  readonly onFrames: (nextFrameIndex: number) => void;
  /** Takes `flushed`. */
  readonly onResult: (result: EngineResult) => void;
}

/** Mode `relay`: tokens go to the subscribers of a stream as they came, cut to the codebooks in force. */
export class Relay implements TokenSink {
  readonly #options: RelayOptions;
  #nextFrameIndex = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Gives the next frames to all. */
  pushTokens(block: TokenBlock): Promise<void> {
    const placed = { ...block, firstFrameIndex: this.#nextFrameIndex };
    this.#moveOn(block.frameCount);
    this.#options.stream.add(takeQuantizers(placed, this.#options.quantizers()));
    return Promise.resolve();
  }

  /** So many frames will never come. */
  skip(frameCount: number): Promise<void> {
    this.#options.stream.skip(this.#nextFrameIndex, frameCount);
    this.#moveOn(frameCount);
    return Promise.resolve();
  }

  /** Everything so far has been given on. */
  flush(): void {
    this.#options.onResult({ kind: 'flushed', frames: this.#nextFrameIndex });
  }

  #moveOn(frameCount: number): void {
    this.#nextFrameIndex += frameCount;
    this.#options.onFrames(this.#nextFrameIndex);
  }
}
