import {
  AdaptiveDepth,
  decodeWhole,
  frameRate,
  StreamingEncoder,
  type CodecModel,
  type EncodedBlock,
  type EntropyTables,
} from '../../../codec/index.js';
import { bitsPerCode, takeQuantizers, type TokenBlock } from '../../../protocol/index.js';
import { CodedPackets } from '../../cli/codedFile.js';
import type { Coded, Row } from './rival.js';

/** How many codebooks a frame gets: at most so many, all of them without a strength. */
export interface DepthSetting {
  readonly maxQuantizers: number;
  /** Of adaptive depth. */
  readonly strength?: number;
}

/** What something took. */
interface Timed<T> {
  readonly value: T;
  readonly ms: number;
}

/** Tessera as an encoder to all depths and a decoder from each; the last recording's work is kept for the next setting. */
export class TesseraCodec {
  readonly model: CodecModel;
  readonly #tables: EntropyTables | undefined;
  #speech: Float32Array | undefined;
  #encoded: Promise<Timed<EncodedBlock[]>> | undefined;
  readonly #decoded = new Map<number, Promise<Timed<Float32Array>>>();

  constructor(model: CodecModel, tables: EntropyTables | undefined) {
    this.model = model;
    this.#tables = tables;
  }

  /** Rows of these settings: packed and entropy-coded for those of fixed depth, entropy-coded for the others. */
  rows(settings: readonly DepthSetting[]): Row[] {
    return settings.flatMap((setting): Row[] => {
      const { maxQuantizers, strength } = setting;
      const packed: Row = {
        name: `Tessera q${maxQuantizers}`,
        family: 'Tessera, packed',
        code: (speech) => this.#code(speech, setting, false),
      };
      const code: Row['code'] = (speech) => this.#code(speech, setting, true);
      if (strength === undefined) {
        if (this.#tables === undefined) return [packed];
        const name = `${packed.name}, entropy-coded`;
        return [packed, { name, family: 'Tessera, entropy-coded', sameSoundAs: packed.name, code }];
      }
      const name = `Tessera, at most q${maxQuantizers}, strength ${strength}`;
      return this.#tables ? [{ name, family: 'Tessera, adaptive depth', code }] : [];
    });
  }

  /** The recording at full depth, in blocks of a second. */
  async encode(speech: Float32Array): Promise<EncodedBlock[]> {
    const encoder = new StreamingEncoder(this.model);
    encoder.isMeasuring = true;
    const { sampleRate } = this.model.manifest;
    const blocks: (EncodedBlock | undefined)[] = [];
    // A packet ends where a block does.
    for (let at = 0; at < speech.length; at += sampleRate) {
      blocks.push(await encoder.push(speech.subarray(at, at + sampleRate)));
    }
    blocks.push(await encoder.flush());
    encoder.close();
    return blocks.filter((block) => block !== undefined);
  }

  /** What {@link encode} gave, at this setting. */
  cut(blocks: readonly EncodedBlock[], { maxQuantizers, strength }: DepthSetting): TokenBlock[] {
    if (strength === undefined) return blocks.map((block) => takeQuantizers(block, maxQuantizers));
    const depth = new AdaptiveDepth({ frameRate: frameRate(this.model.manifest), strength });
    return blocks.flatMap((block) => depth.cut(block, { minQuantizers: 1, maxQuantizers }));
  }

  /** Sound of as many samples as given. */
  decode(blocks: readonly TokenBlock[], sampleCount: number): Promise<Float32Array> {
    return decodeWhole(this.model, blocks, sampleCount);
  }

  /** Bits of the tokens, entropy-coded in packets of 5 s that stand alone, as in files. @throws RangeError without tables. */
  codedBits(blocks: readonly TokenBlock[]): number {
    if (this.#tables === undefined) throw new RangeError('The model has no entropy tables');
    const packets = new CodedPackets(this.#tables, this.model.summary.frameRate);
    const runs = [...blocks.map((block) => packets.add(block)), packets.cut()];
    const segments = runs.flatMap((run) => run?.segments ?? []);
    return 8 * segments.reduce((total, segment) => total + segment.length, 0);
  }

  #packedBits(blocks: readonly TokenBlock[]): number {
    const codes = blocks.reduce((total, block) => total + block.codes.length, 0);
    return codes * bitsPerCode(this.model.summary.codebookSize);
  }

  async #code(speech: Float32Array, setting: DepthSetting, isEntropyCoded: boolean): Promise<Coded> {
    const encoded = await this.#encodeOnce(speech);
    const coding = await timed(() => {
      const blocks = this.cut(encoded.value, setting);
      const bits = isEntropyCoded ? this.codedBits(blocks) : this.#packedBits(blocks);
      return Promise.resolve({ blocks, bits });
    });
    const { blocks, bits } = coding.value;
    const decode = (): Promise<Timed<Float32Array>> => timed(() => this.decode(blocks, speech.length));
    let decoded = setting.strength === undefined ? this.#decoded.get(setting.maxQuantizers) : decode();
    if (decoded === undefined) this.#decoded.set(setting.maxQuantizers, (decoded = decode()));
    const { value: samples, ms } = await decoded;
    return { samples, bits, workMs: encoded.ms + coding.ms + ms };
  }

  #encodeOnce(speech: Float32Array): Promise<Timed<EncodedBlock[]>> {
    if (this.#speech === speech && this.#encoded) return this.#encoded;
    this.#speech = speech;
    this.#decoded.clear();
    return (this.#encoded = timed(() => this.encode(speech)));
  }
}

async function timed<T>(work: () => Promise<T>): Promise<Timed<T>> {
  const start = performance.now();
  return { value: await work(), ms: performance.now() - start };
}
