import { TesseraError } from '../protocol/errors.js';
import type { ClientFrame, GapFrame, TokensFrame } from '../protocol/frames.js';
import type { TokenBlock } from '../protocol/tokens.js';
import type { ClientInput, Resumption } from './audioInput.js';

type TokenFrame = TokensFrame | GapFrame;

interface Sent {
  readonly frame: TokenFrame;
  /** Bytes of the server's session after this frame. */
  readonly endByte: number;
}

/**
 * Tokens that are sent, in the order of their frames. Keeps `maxFrames` that were sent last, and as many that wait for a
 * connection; what comes beyond those is let go of, and becomes a gap before what comes after it.
 */
export class TokenInput implements ClientInput {
  readonly #maxFrames: number;
  readonly #byteLength: (frame: ClientFrame) => number;
  #kept: Sent[] = [];
  #keptFrames = 0;
  /** Those of them that were added without a connection. */
  #unsentFrames = 0;
  /** Bytes and frames of the server's session: its start in this side's count, and what was given to it. */
  #frameBase = 0;
  #endByte = 0;
  #endFrame = 0;

  /** `byteLength` tells how long a frame is on the wire. */
  constructor(maxFrames: number, byteLength: (frame: ClientFrame) => number) {
    this.#maxFrames = maxFrames;
    this.#byteLength = byteLength;
  }

  /**
   * Takes the next block, or a gap. @returns what to send now, if there is a connection: where frames were left out, a
   * gap before it.
   * @throws TesseraError `bad_tokens` for frames that were passed already.
   */
  add(item: TokenBlock | Omit<GapFrame, 'kind'>, isConnected: boolean): readonly ClientFrame[] {
    const { firstFrameIndex } = item;
    const missing = firstFrameIndex - this.#endFrame;
    if (missing < 0) {
      throw new TesseraError(
        'bad_tokens',
        `Frame ${firstFrameIndex} was passed: frame ${this.#endFrame} is next`,
      );
    }
    if (!isConnected) {
      if (this.#unsentFrames + item.frameCount > this.#maxFrames) return [];
      this.#unsentFrames += item.frameCount;
    }
    const frames: TokenFrame[] = [];
    if (missing > 0) {
      frames.push({
        kind: 'gap',
        firstFrameIndex: this.#endFrame,
        frameCount: missing,
        reason: 'input_lost',
      });
    }
    frames.push('codes' in item ? { kind: 'tokens', ...item } : { kind: 'gap', ...item });
    return frames.map((frame) => this.#keep(frame));
  }

  resume(inputByteOffset: number): readonly ClientFrame[] {
    this.#unsentFrames = 0;
    return this.#kept
      .filter(({ endByte }) => endByte > inputByteOffset)
      .map(({ frame }) => this.#onWire(frame));
  }

  restart(nextFrameIndex: number): Resumption {
    const kept = this.#kept.filter(({ frame }) => frame.firstFrameIndex + frame.frameCount > nextFrameIndex);
    this.#frameBase = kept[0]?.frame.firstFrameIndex ?? this.#endFrame;
    this.#kept = [];
    this.#keptFrames = 0;
    this.#unsentFrames = 0;
    this.#endByte = 0;
    this.#endFrame = this.#frameBase;
    return { frames: kept.map(({ frame }) => this.#keep(frame)), frameBase: this.#frameBase };
  }

  #keep(frame: TokenFrame): ClientFrame {
    const onWire = this.#onWire(frame);
    this.#endByte += this.#byteLength(onWire);
    this.#endFrame = frame.firstFrameIndex + frame.frameCount;
    this.#kept.push({ frame, endByte: this.#endByte });
    this.#keptFrames += frame.frameCount;
    while (this.#keptFrames - this.#unsentFrames > this.#maxFrames && this.#kept.length > 1) {
      this.#keptFrames -= this.#kept.shift()?.frame.frameCount ?? 0;
    }
    return onWire;
  }

  #onWire(frame: TokenFrame): TokenFrame {
    return { ...frame, firstFrameIndex: frame.firstFrameIndex - this.#frameBase };
  }
}
