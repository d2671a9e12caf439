import { TesseraError } from '../../protocol/errors.js';
import { takeQuantizers, type TokenBlock } from '../../protocol/tokens.js';
import type { EngineResult, EngineSession } from '../engine/index.js';
import { InputPump } from './inputPump.js';
import type { GatewayLimits } from './limits.js';
import type { SessionInput, SessionInputHost } from './sessionInput.js';
import type { SharedPackets } from './sharedPackets.js';
import type { StreamHub, Subscription } from './streamHub.js';
import { skipInPieces } from './tokenInput.js';

/** What a {@link StreamInput} works with. */
export interface StreamInputOptions extends SessionInputHost {
  readonly hub: StreamHub;
  readonly stream: string;
  /** A decoding session, where the output is PCM. */
  readonly engine: EngineSession | undefined;
  readonly limits: GatewayLimits;
  /** Codebooks in force. */
  readonly quantizers: () => number;
  /** Takes tokens and `flushed`; PCM comes from the engine. It must not throw. */
  readonly onResult: (result: EngineResult) => void;
  /** The publisher has ended a stretch of sound. */
  readonly onStretchEnd: () => void;
  /** Frames will never come; with PCM as output the engine covers them. */
  readonly onGap: (firstFrameIndex: number, frameCount: number) => void;
  /** The publisher has ended. */
  readonly onEnd: () => void;
}

/** Frames that never came. */
interface Skip {
  readonly skippedFrames: number;
}

/** Input of mode `subscribe`: the frames that another session publishes, cut to the codebooks in force. */
export class StreamInput implements SessionInput {
  readonly inputBytes = 0;
  readonly nextByteOffset = 0;
  readonly isPaused = false;
  /** Of the publisher's stream. */
  readonly firstFrameIndex: number;
  readonly #options: StreamInputOptions;
  readonly #subscription: Subscription;
  /** Frames that wait for the decoder. */
  readonly #pump: InputPump<TokenBlock | Skip | 'flush'>;

  /** @throws TesseraError `no_such_stream`, `at_capacity` */
  constructor(options: StreamInputOptions) {
    this.#options = options;
    this.#pump = new InputPump({
      maxBytes: options.limits.maxInputBufferBytes,
      handle: (item) => this.#decode(item),
      // A publisher is not slowed by those who listen.
      onPause: () => undefined,
      onError: options.onError,
    });
    this.#subscription = options.hub.subscribe(options.stream, {
      onBlock: (block) => this.#onBlock(block),
      onGap: (firstFrameIndex, frameCount) => this.#onGap(firstFrameIndex, frameCount),
      onStretchEnd: options.onStretchEnd,
      onEnd: options.onEnd,
    });
    this.firstFrameIndex = this.#subscription.nextFrameIndex;
  }

  /** Index of the next frame that comes. */
  get nextFrameIndex(): number {
    return this.#subscription.nextFrameIndex;
  }

  /** The stream's, for all its subscribers. */
  get sharedPackets(): SharedPackets {
    return this.#subscription.sharedPackets;
  }

  add(): void {
    throw new TesseraError('bad_frame', 'Mode subscribe takes no binary frames');
  }

  flush(): void {
    if (this.#options.engine) this.#pump.add('flush', 0);
    else this.#options.onResult({ kind: 'flushed', frames: this.nextFrameIndex });
  }

  close(): void {
    this.#subscription.close();
    this.#pump.close();
  }

  #onBlock(published: TokenBlock): void {
    const block = takeQuantizers(published, this.#options.quantizers());
    if (this.#options.engine === undefined) {
      this.#options.onResult({ kind: 'tokens', block });
      return;
    }
    this.#give(block, block.codes.byteLength);
  }

  #onGap(firstFrameIndex: number, frameCount: number): void {
    if (this.#options.engine) this.#give({ skippedFrames: frameCount }, 0);
    else this.#options.onGap(firstFrameIndex, frameCount);
  }

  /** Has the engine take it, after what waits already. */
  #give(item: TokenBlock | Skip, bytes: number): void {
    try {
      this.#pump.add(item, bytes);
    } catch (error) {
      this.close();
      this.#options.onError(error);
    }
  }

  async #decode(item: TokenBlock | Skip | 'flush'): Promise<void> {
    const { engine, limits } = this.#options;
    if (item === 'flush') {
      engine?.flush();
    } else if ('codes' in item) {
      // The decoder's first frame is the first that came.
      await engine?.pushTokens({ ...item, firstFrameIndex: item.firstFrameIndex - this.firstFrameIndex });
    } else if (engine) {
      await skipInPieces(engine, item.skippedFrames, limits);
    }
  }
}
