import { TokenEncoder, type EntropyTables } from '../codec/entropy/index.js';
import { TesseraError } from '../protocol/errors.js';
import { encodeFrame, type ClientFrame, type GapFrame } from '../protocol/frames.js';
import type { ModelSummary } from '../protocol/serverMessages.js';
import type { TokenBlock } from '../protocol/tokens.js';
import type { ClientInput, Resumption } from './audioInput.js';

type Item = TokenBlock | Omit<GapFrame, 'kind'>;

interface Sent {
  /** In this side's count. */
  readonly item: Item;
  /** In that of the server's session. */
  readonly onWire: ClientFrame;
  /** Bytes of the server's session after this frame. */
  readonly endByte: number;
}

/**
 * Tokens that are sent, in the order of their frames. Keeps `maxFrames` that were sent last, and as many that wait for a
 * connection; what comes beyond those is let go of, and becomes a gap before what comes after it.
 */
export class TokenInput implements ClientInput {
  readonly #maxFrames: number;
  readonly #model: Pick<ModelSummary, 'codebookSize'>;
  readonly #tables: EntropyTables | undefined;
  /** Of the server's session: what it has read decides how the next packet is written. */
  #encoder: TokenEncoder | undefined;
  #kept: Sent[] = [];
  #keptFrames = 0;
  /** Those of them that were added without a connection. */
  #unsentFrames = 0;
  /** Bytes and frames of the server's session: its start in this side's count, and what was given to it. */
  #frameBase = 0;
  #endByte = 0;
  #endFrame = 0;

  /** With `tables` they are entropy-coded. */
  constructor(maxFrames: number, model: Pick<ModelSummary, 'codebookSize'>, tables?: EntropyTables) {
    this.#maxFrames = maxFrames;
    this.#model = model;
    this.#tables = tables;
    this.#encoder = tables && new TokenEncoder(tables);
  }

  /**
   * Takes the next block, or a gap. @returns what to send now, if there is a connection: where frames were left out, a
   * gap before it.
   * @throws TesseraError `bad_tokens` for frames that were passed already.
   */
  add(item: Item, isConnected: boolean): readonly ClientFrame[] {
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
    const items: Item[] = [];
    if (missing > 0)
      items.push({ firstFrameIndex: this.#endFrame, frameCount: missing, reason: 'input_lost' });
    items.push(item);
    return items.map((each) => this.#keep(each));
  }

  resume(inputByteOffset: number): readonly ClientFrame[] {
    this.#unsentFrames = 0;
    return this.#kept.filter(({ endByte }) => endByte > inputByteOffset).map(({ onWire }) => onWire);
  }

  restart(nextFrameIndex: number): Resumption {
    const kept = this.#kept.filter(({ item }) => item.firstFrameIndex + item.frameCount > nextFrameIndex);
    this.#frameBase = kept[0]?.item.firstFrameIndex ?? this.#endFrame;
    this.#kept = [];
    this.#keptFrames = 0;
    this.#unsentFrames = 0;
    this.#endByte = 0;
    this.#endFrame = this.#frameBase;
    this.#encoder = this.#tables && new TokenEncoder(this.#tables);
    return { frames: kept.map(({ item }) => this.#keep(item)), frameBase: this.#frameBase };
  }

  #keep(item: Item): ClientFrame {
    const onWire = this.#onWire(item);
    this.#endByte += encodeFrame(onWire, this.#model).length;
    this.#endFrame = item.firstFrameIndex + item.frameCount;
    this.#kept.push({ item, onWire, endByte: this.#endByte });
    this.#keptFrames += item.frameCount;
    while (this.#keptFrames - this.#unsentFrames > this.#maxFrames && this.#kept.length > 1) {
      this.#keptFrames -= this.#kept.shift()?.item.frameCount ?? 0;
    }
    return onWire;
  }

  #onWire(item: Item): ClientFrame {
    const placed = { ...item, firstFrameIndex: item.firstFrameIndex - this.#frameBase };
    if (!('codes' in placed)) return { kind: 'gap', ...placed };
    if (this.#encoder === undefined) return { kind: 'tokens', ...placed };
    return { kind: 'coded', ...this.#encoder.encode([placed], { isFresh: false }) };
  }
}
