import { ByteReader } from '../../protocol/byteReader.js';
import type { TesseraError } from '../../protocol/errors.js';

/** The first bytes of a file of tables: TSRE. */
const MAGIC = 0x45525354;
const VERSION = 1;
/** Entries of {@link EntropyTables.squash}. */
export const SQUASH_STEPS = 4096;
const MAX_WIDTH = 256;
const MAX_QUANTIZERS = 64;

/** The integers of the probability model that `codec/training/train_entropy.py` trains. Q codebooks of K codes. */
export interface EntropyTables {
  /** Q. */
  readonly quantizers: number;
  /** K, a power of two. */
  readonly codebookSize: number;
  /** E: values of a code's embedding. */
  readonly embeddingSize: number;
  /** H: values of the hidden layer. */
  readonly hiddenSize: number;
  /** Fractional bits of embeddings, of `context`, and of `node`. */
  readonly embeddingBits: number;
  readonly weightBits: number;
  readonly nodeBits: number;
  /** Probability, of 65,536, at logits from -8 to 8 in steps of 1/256. */
  readonly squash: Uint16Array;
  /** [Q, K]: place of each code among the leaves of its tree. */
  readonly leaf: Uint16Array;
  /** [Q, K]: the code at each leaf. */
  readonly codeAt: Uint16Array;
  /** [Q, K]: logit of each node of the tree by itself, in 1/256; the root is node 1. */
  readonly bias: Int16Array;
  /** [Q, H, 2 E]: weights of the sum of this frame's lower codebooks, then of the sum of the previous frame. */
  readonly context: Int16Array;
  /** [Q, H]. */
  readonly offset: Int32Array;
  /** [Q, K, E]. */
  readonly embedding: Int8Array;
  /** [Q, K, H]: weights of the hidden layer for each node. */
  readonly node: Int8Array;
}

/** Reads a file of tables. @throws TesseraError `bad_manifest` when it is damaged or of another version. */
export function parseEntropyTables(bytes: Uint8Array): EntropyTables {
  const reader = new ByteReader(bytes, 'bad_manifest', "The model's entropy tables");
  if (reader.uint32('magic') !== MAGIC) throw reader.error('are of another format');
  const version = reader.byte('version');
  if (version !== VERSION) throw reader.error(`have version ${version}; this reads ${VERSION}`);
  const uint16 = (field: string): number => reader.byte(field) + 256 * reader.byte(field);
  const int8 = (field: string): number => (reader.byte(field) << 24) >> 24;
  const quantizers = reader.byte('quantizers');
  const codebookSize = uint16('codebook size');
  const embeddingSize = uint16('embedding size');
  const hiddenSize = uint16('hidden size');
  const embeddingBits = int8('embedding bits');
  const weightBits = int8('weight bits');
  const nodeBits = int8('node bits');
  const isSound =
    inRange(quantizers, 1, MAX_QUANTIZERS) &&
    inRange(Math.log2(codebookSize), 1, 15) &&
    Number.isInteger(Math.log2(codebookSize)) &&
    inRange(embeddingSize, 1, MAX_WIDTH) &&
    inRange(hiddenSize, 1, MAX_WIDTH) &&
    inRange(nodeBits, 0, 30) &&
    // The hidden layer is kept in 1/256.
    inRange(embeddingBits + weightBits, 8, 30);
  if (!isSound) throw reader.error('have impossible sizes');
  const codes = quantizers * codebookSize;
  const weights = quantizers * hiddenSize * embeddingSize;
  const view = (field: string, count: number, width: number): DataView => {
    const part = reader.take(field, count * width);
    return new DataView(part.buffer, part.byteOffset, part.byteLength);
  };
  const int16s = (field: string, count: number): Int16Array => {
    const data = view(field, count, 2);
    return Int16Array.from({ length: count }, (_, at) => data.getInt16(2 * at, true));
  };
  const uint16s = (field: string, count: number): Uint16Array => Uint16Array.from(int16s(field, count));
  const squash = uint16s('probabilities', SQUASH_STEPS);
  const leaf = uint16s('leaves', codes);
  const bias = int16s('biases', codes);
  const lower = int16s('weights', weights);
  const before = int16s('weights', weights);
  const offsets = view('offsets', quantizers * hiddenSize, 4);
  const offset = Int32Array.from({ length: quantizers * hiddenSize }, (_, at) =>
    offsets.getInt32(4 * at, true),
  );
  const embedding = Int8Array.from(reader.take('embeddings', codes * embeddingSize));
  const node = Int8Array.from(reader.take('nodes', codes * hiddenSize));
  reader.end();
  if (squash.includes(0)) throw reader.error('have a probability of 0');
  const codeAt = invert(leaf, codebookSize, (problem) => reader.error(problem));
  return {
    quantizers,
    codebookSize,
    embeddingSize,
    hiddenSize,
    embeddingBits,
    weightBits,
    nodeBits,
    squash,
    leaf,
    codeAt,
    bias,
    context: interleave(lower, before, embeddingSize),
    offset,
    embedding,
    node,
  };
}

/** Rows of `width` values of each, in turn. */
function interleave(one: Int16Array, other: Int16Array, width: number): Int16Array {
  const result = new Int16Array(one.length + other.length);
  for (let at = 0; at < one.length; at += width) {
    result.set(one.subarray(at, at + width), 2 * at);
    result.set(other.subarray(at, at + width), 2 * at + width);
  }
  return result;
}

/** The code of each leaf: every leaf must have one. */
function invert(leaf: Uint16Array, size: number, error: (problem: string) => TesseraError): Uint16Array {
  const codeAt = new Uint16Array(leaf.length);
  const isTaken = new Uint8Array(leaf.length);
  leaf.forEach((place, index) => {
    const at = index - (index % size) + place;
    if (place >= size || isTaken[at] === 1) throw error('give a leaf twice');
    isTaken[at] = 1;
    codeAt[at] = index % size;
  });
  return codeAt;
}

function inRange(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}
