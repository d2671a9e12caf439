import {
  ContainerWriter,
  type ContainerHeader,
  type ModelSummary,
  type TokenBlock,
} from '../../protocol/index.js';
import type { EntropyTables } from '../../codec/entropy/index.js';
import type { ByteSink } from './byteSink.js';
import { CodedPackets, TABLES_KEY } from './codedFile.js';
import type { Interruption } from './interruption.js';
import { bytesOf, TokenSpool } from './tokenSpool.js';

/** What `encode` writes. */
export const TOKEN_FORMATS = ['tsr', 'npy', 'jsonl'] as const;

/** One of {@link TOKEN_FORMATS}; also the extension of its files. */
export type TokenFormat = (typeof TOKEN_FORMATS)[number];

/** One recording that becomes tokens. */
export interface Utterance {
  /** Unique among the utterances of a run: the path within the input, without its extension. */
  readonly id: string;
  readonly source: string;
  readonly quantizers: number;
  readonly model: ModelSummary;
  /** Free text about the recording. */
  readonly metadata: Readonly<Record<string, string>>;
  /** To entropy-code the packets of a container; left out: codes at their full width. */
  readonly entropyTables?: EntropyTables | undefined;
}

/** Takes the tokens of one utterance. Whoever opened the bytes' target commits or discards it. */
export interface TokenSink {
  write(block: TokenBlock): Promise<void>;
  /** Completes the utterance, which has so many samples at the model's rate. */
  finish(sampleCount: number): Promise<void>;
  /** Lets go of temporary files, after `finish` or without. Safe to call again. */
  close(): Promise<void>;
}

/** Begins an utterance of the given format in `target`. */
export async function openTokenSink(
  format: TokenFormat,
  utterance: Utterance,
  target: ByteSink,
  interruption: Interruption,
): Promise<TokenSink> {
  if (format === 'tsr') return TsrSink.start(utterance, target);
  const spool = new TokenSpool(utterance.quantizers, interruption);
  return format === 'npy'
    ? new SpooledSink(spool, () => writeNpy(utterance, spool, target))
    : new SpooledSink(spool, (sampleCount) => writeJsonLine(utterance, spool, sampleCount, target));
}

/** The header of a container of tokens that `model` made. */
export function containerHeader(
  model: ModelSummary,
  quantizers: number,
  metadata: Readonly<Record<string, string>>,
): ContainerHeader {
  return {
    modelName: model.name,
    modelVersion: model.version,
    modelDigest: model.digest,
    sampleRate: model.sampleRate,
    hop: model.hop,
    codebookSize: model.codebookSize,
    quantizers,
    decoderDelaySamples: model.decoderDelaySamples,
    metadata,
  };
}

/** Writes the container as the blocks come: each is a packet, or part of a coded one. */
class TsrSink implements TokenSink {
  readonly #writer: ContainerWriter;
  readonly #target: ByteSink;
  readonly #packets: CodedPackets | undefined;

  private constructor(writer: ContainerWriter, target: ByteSink, packets: CodedPackets | undefined) {
    this.#writer = writer;
    this.#target = target;
    this.#packets = packets;
  }

  static async start(utterance: Utterance, target: ByteSink): Promise<TsrSink> {
    const { model, quantizers, metadata, entropyTables } = utterance;
    const coded = entropyTables && { [TABLES_KEY]: model.entropyDigest ?? '' };
    const writer = new ContainerWriter(containerHeader(model, quantizers, { ...metadata, ...coded }));
    await target.write(writer.begin());
    return new TsrSink(writer, target, entropyTables && new CodedPackets(entropyTables, model.frameRate));
  }

  async write(block: TokenBlock): Promise<void> {
    if (this.#packets === undefined) return this.#target.write(this.#writer.tokens(block));
    const run = this.#packets.add(block);
    if (run) await this.#target.write(this.#writer.coded(run));
  }

  async finish(sampleCount: number): Promise<void> {
    const run = this.#packets?.cut();
    if (run) await this.#target.write(this.#writer.coded(run));
    await this.#target.write(this.#writer.finish({ sampleCount }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Gathers all frames first, because the format wants codebooks whole. */
class SpooledSink implements TokenSink {
  readonly #spool: TokenSpool;
  readonly #writeAll: (sampleCount: number) => Promise<void>;

  constructor(spool: TokenSpool, writeAll: (sampleCount: number) => Promise<void>) {
    this.#spool = spool;
    this.#writeAll = writeAll;
  }

  write(block: TokenBlock): Promise<void> {
    return this.#spool.push(block);
  }

  finish(sampleCount: number): Promise<void> {
    return this.#writeAll(sampleCount);
  }

  close(): Promise<void> {
    return this.#spool.close();
  }
}

const NPY_MAGIC = '\x93NUMPY\x01\x00';
/** NumPy aligns the data to this, so that they can be mapped into memory. */
const NPY_ALIGNMENT_BYTES = 64;

/** NumPy's format 1.0: uint16, shape [quantizers, frames], C order. */
async function writeNpy({ quantizers }: Utterance, spool: TokenSpool, target: ByteSink): Promise<void> {
  const description = `{'descr': '<u2', 'fortran_order': False, 'shape': (${quantizers}, ${spool.frameCount}), }`;
  const plainBytes = NPY_MAGIC.length + 2 + description.length + 1;
  const padding = ' '.repeat(
    (NPY_ALIGNMENT_BYTES - (plainBytes % NPY_ALIGNMENT_BYTES)) % NPY_ALIGNMENT_BYTES,
  );
  const text = `${description}${padding}\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  await target.write(Buffer.concat([Buffer.from(NPY_MAGIC, 'latin1'), length, Buffer.from(text, 'latin1')]));
  for (let quantizer = 0; quantizer < quantizers; quantizer++) {
    for await (const codes of spool.codebook(quantizer)) await target.write(bytesOf(codes));
  }
}

/** One line with everything: what a training set's loader maps over. `codes` comes last, as one list a codebook. */
async function writeJsonLine(
  { id, source, quantizers, model, metadata }: Utterance,
  spool: TokenSpool,
  sampleCount: number,
  target: ByteSink,
): Promise<void> {
  const head = {
    id,
    source,
    durationSeconds: sampleCount / model.sampleRate,
    sampleCount,
    sampleRate: model.sampleRate,
    frameRate: model.frameRate,
    frameCount: spool.frameCount,
    quantizers,
    codebookSize: model.codebookSize,
    model: { name: model.name, version: model.version, digest: model.digest },
    metadata,
  };
  await target.write(Buffer.from(`${JSON.stringify(head).slice(0, -1)},"codes":[`));
  for (let quantizer = 0; quantizer < quantizers; quantizer++) {
    let separator = quantizer === 0 ? '[' : ',[';
    for await (const codes of spool.codebook(quantizer)) {
      await target.write(Buffer.from(`${separator}${codes.join(',')}`));
      separator = ',';
    }
    await target.write(Buffer.from(']'));
  }
  await target.write(Buffer.from(']}\n'));
}
