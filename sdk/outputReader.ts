import { TokenDecoder, type EntropyTables } from '../codec/entropy/index.js';
import type { OutputFormat } from '../protocol/clientMessages.js';
import { TesseraError } from '../protocol/errors.js';
import { decodeServerFrame, type CodedFrame, type GapFrame, type TokensFrame } from '../protocol/frames.js';
import { isPcmFormat } from '../protocol/options.js';
import { decodePcm } from '../protocol/pcm.js';
import type { ServerMessageOf } from '../protocol/serverMessages.js';
import { OutputCursor } from './outputCursor.js';

/** What a server has sent, with its place in this side's count. */
export type Output =
  | TokensFrame
  | GapFrame
  | { readonly kind: 'pcm'; readonly firstSampleIndex: number; readonly samples: Float32Array };

/** Reads a session's binary frames, over all sessions of the server that it takes. */
export class OutputReader {
  readonly #format: OutputFormat;
  readonly #tables: EntropyTables | undefined;
  readonly #cursor: OutputCursor;
  #opened: ServerMessageOf<'opened'>;
  #decoder: TokenDecoder | undefined;

  /** `tables` where tokens may come entropy-coded. */
  constructor(opened: ServerMessageOf<'opened'>, format: OutputFormat, tables: EntropyTables | undefined) {
    this.#opened = opened;
    this.#format = format;
    this.#tables = tables;
    this.#cursor = new OutputCursor(opened.model);
    this.#decoder = tables && new TokenDecoder(tables);
  }

  /** First frame of the server's session that has not arrived. */
  get nextOfServer(): number {
    return this.#cursor.nextOfServer;
  }

  /** The same frame in this side's count. */
  get nextFrameIndex(): number {
    return this.#cursor.nextFrameIndex;
  }

  /** Another session takes the last one's place: its frame 0 is `base`. @returns the frames between, which never came. */
  restart(opened: ServerMessageOf<'opened'>, base: number): GapFrame | undefined {
    this.#opened = opened;
    this.#decoder = this.#tables && new TokenDecoder(this.#tables);
    return this.#cursor.restart(opened.model, base);
  }

  /** All frames of the server's session below `nextOfServer` have come. */
  reach(nextOfServer: number): void {
    this.#cursor.reach(nextOfServer);
  }

  /** What a binary frame has, in order. @throws TesseraError `bad_frame`, `bad_tokens`, `frame_too_large` */
  read(bytes: Uint8Array): readonly Output[] {
    const { model, limits } = this.#opened;
    const frame = decodeServerFrame(bytes, {
      ...limits,
      codebookSize: model.codebookSize,
      maxQuantizers: model.quantizers,
    });
    switch (frame.kind) {
      case 'tokens':
      case 'gap':
        return [this.#cursor.take(frame, 0)];
      case 'coded':
        if (this.#decoder === undefined) {
          throw new TesseraError('bad_frame', 'Entropy-coded tokens came, which were not asked for');
        }
        return this.#decode(frame, this.#decoder);
      case 'pcm': {
        if (!isPcmFormat(this.#format)) throw new TesseraError('bad_frame', 'Samples came instead of tokens');
        const samples = decodePcm(frame.payload, this.#format);
        const { firstSampleIndex } = this.#cursor.take(frame, samples.length);
        return [{ kind: 'pcm', firstSampleIndex, samples }];
      }
    }
  }

  #decode(frame: CodedFrame, decoder: TokenDecoder): readonly Output[] {
    if (decoder.canDecode(frame)) {
      return decoder.decode(frame).map((block) => this.#cursor.take({ kind: 'tokens', ...block }, 0));
    }
    // It leans on packets that the server no longer had to send again; another that stands alone follows.
    const { firstFrameIndex, frameCount } = frame;
    return [this.#cursor.take({ kind: 'gap', firstFrameIndex, frameCount, reason: 'resume_lost' }, 0)];
  }
}
