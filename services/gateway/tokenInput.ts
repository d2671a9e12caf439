import { TokenDecoder, type EntropyTables } from '../../codec/entropy/index.js';
import { TesseraError } from '../../protocol/errors.js';
import type { ClientFrame, GapFrame } from '../../protocol/frames.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { EngineSession } from '../engine/index.js';
import { InputPump } from './inputPump.js';
import type { GatewayLimits } from './limits.js';
import type { SessionInput, SessionInputHost } from './sessionInput.js';

/** What takes tokens in order: the engine, or a stream that is published. */
export type TokenSink = Pick<EngineSession, 'pushTokens' | 'skip' | 'flush'>;

/** Skips frames in pieces, so that one long gap does not stand for more than the engine's bound. */
export async function skipInPieces(
  sink: Pick<TokenSink, 'skip'>,
  frameCount: number,
  { maxFramesPerPacket }: Pick<GatewayLimits, 'maxFramesPerPacket'>,
): Promise<void> {
  for (let left = frameCount; left > 0; left -= maxFramesPerPacket) {
    await sink.skip(Math.min(left, maxFramesPerPacket));
  }
}

type Item = readonly TokenBlock[] | GapFrame | 'flush';

/** Input of modes `decode` and `relay`: TOKENS or CODED, and GAP, in the order of their frames. */
export class TokenInput implements SessionInput {
  readonly #sink: TokenSink;
  readonly #model: ModelSummary;
  readonly #limits: GatewayLimits;
  /** Where the client has asked for entropy coding. */
  readonly #decoder: TokenDecoder | undefined;
  readonly #pump: InputPump<Item>;
  #nextFrameIndex = 0;
  #inputBytes = 0;

  /** With `tables` the client sends CODED, and otherwise TOKENS. */
  constructor(
    sink: TokenSink,
    model: ModelSummary,
    limits: GatewayLimits,
    host: SessionInputHost,
    tables?: EntropyTables,
  ) {
    this.#decoder = tables && new TokenDecoder(tables);
    this.#sink = sink;
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
    this.#pump.add(this.#read(frame), wireBytes);
    this.#nextFrameIndex += frameCount;
    this.#inputBytes += wireBytes;
  }

  flush(): void {
    this.#pump.add('flush', 0);
  }

  close(): void {
    this.#pump.close();
  }

  #read(frame: Exclude<ClientFrame, { kind: 'audio' }>): Exclude<Item, 'flush'> {
    if (frame.kind === 'gap') return frame;
    if (frame.kind === 'tokens' && !this.#decoder) return [frame];
    if (frame.kind === 'coded' && this.#decoder) return this.#decoder.decode(frame);
    throw new TesseraError(
      'bad_frame',
      `This session takes ${this.#decoder ? 'CODED' : 'TOKENS'}, as input.coding in "open" says`,
    );
  }

  async #handle(item: Item): Promise<void> {
    if (item === 'flush') this.#sink.flush();
    else if ('kind' in item) await skipInPieces(this.#sink, item.frameCount, this.#limits);
    else for (const block of item) await this.#sink.pushTokens(block);
  }
}
