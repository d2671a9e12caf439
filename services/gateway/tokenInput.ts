import { TesseraError } from '../../protocol/errors.js';
import type { ClientFrame, GapFrame, TokensFrame } from '../../protocol/frames.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { EngineSession } from '../engine/index.js';
import { InputPump } from './inputPump.js';
import type { GatewayLimits } from './limits.js';
import type { SessionInput, SessionInputHost } from './sessionInput.js';

/** Input of mode `decode`: TOKENS and GAP in the order of their frames. */
export class TokenInput implements SessionInput {
  readonly #engine: EngineSession;
  readonly #model: ModelSummary;
  readonly #limits: GatewayLimits;
  readonly #pump: InputPump<TokensFrame | GapFrame | 'flush'>;
  #nextFrameIndex = 0;
  #inputBytes = 0;

  constructor(engine: EngineSession, model: ModelSummary, limits: GatewayLimits, host: SessionInputHost) {
    this.#engine = engine;
    this.#model = model;
    this.#limits = limits;
    this.#pump = new InputPump({
      maxBytes: limits.maxInputBufferBytes,
      handle: (item) => this.#handle(item),
      ...host,
    });
  }

  get inputBytes(): number {
    return this.#inputBytes;
  }

  get nextByteOffset(): number {
    return this.#inputBytes;
  }

  get isPaused(): boolean {
    return this.#pump.isPaused;
  }

  add(frame: ClientFrame, wireBytes: number): void {
    if (frame.kind === 'audio') {
      throw new TesseraError('bad_frame', 'This session takes tokens: send TOKENS, not AUDIO');
    }
    const { firstFrameIndex, frameCount } = frame;
    if (firstFrameIndex !== this.#nextFrameIndex) {
      throw new TesseraError(
        'bad_frame',
        `Frame ${this.#nextFrameIndex} is next, not ${firstFrameIndex}: send GAP for frames that are lost`,
      );
    }
    const maxGapFrames = Math.floor((this.#limits.maxInputGapMs * this.#model.frameRate) / 1000);
    if (frame.kind === 'gap' && frameCount > maxGapFrames) {
      throw new TesseraError(
        'bad_frame',
        `A gap of ${frameCount} frames is above the limit of ${maxGapFrames}`,
      );
    }
    this.#pump.add(frame, wireBytes);
    this.#nextFrameIndex += frameCount;
    this.#inputBytes += wireBytes;
  }

  flush(): void {
    this.#pump.add('flush', 0);
  }

  close(): void {
    this.#pump.close();
  }

  async #handle(item: TokensFrame | GapFrame | 'flush'): Promise<void> {
    if (item === 'flush') this.#engine.flush();
    else if (item.kind === 'tokens') await this.#engine.pushTokens(item);
    else await this.#skip(item.frameCount);
  }

  async #skip(frameCount: number): Promise<void> {
    // In pieces, so that one long gap does not stand for more than the engine's bound.
    for (let left = frameCount; left > 0; left -= this.#limits.maxFramesPerPacket) {
      await this.#engine.skip(Math.min(left, this.#limits.maxFramesPerPacket));
    }
  }
}
