import type { EntropyTables } from './tables.js';

/** Fractional bits of logits and of the hidden layer. */
const LOGIT_BITS = 8;

/**
 * Computes the hidden layer of codes of one codebook: `max(0, offset + weights · context) >> shift`, in 32-bit integers.
 * Fill `context` and read `hidden` behind each call; whoever holds the same tables shares both.
 */
export interface HiddenLayer {
  /** [2 E]: this frame's sum so far, then the sum of the frame before; values of 16 bits. */
  readonly context: Int16Array;
  /** [H] */
  readonly hidden: Int32Array;
  compute(quantizer: number): void;
}

const layers = new WeakMap<EntropyTables, HiddenLayer>();

/** The layer of these tables; with 128-bit vectors of WebAssembly where there are any, which is many times faster. */
export function hiddenLayer(tables: EntropyTables): HiddenLayer {
  let layer = layers.get(tables);
  if (layer === undefined) {
    layer = vectorLayer(tables) ?? scalarLayer(tables);
    layers.set(tables, layer);
  }
  return layer;
}

/** Plain JavaScript, for where WebAssembly or its vectors are missing or forbidden. */
export function scalarLayer(tables: EntropyTables): HiddenLayer {
  const { embeddingSize, hiddenSize, context: weights, offset } = tables;
  const width = 2 * embeddingSize;
  const shift = shiftOf(tables);
  const context = new Int16Array(width);
  const hidden = new Int32Array(hiddenSize);
  const compute = (quantizer: number): void => {
    const first = quantizer * hiddenSize;
    for (let unit = 0; unit < hiddenSize; unit += 1) {
      const weight = (first + unit) * width;
      let total = offset[first + unit]!;
      for (let at = 0; at < width; at += 1) {
        total = (total + Math.imul(context[at]!, weights[weight + at]!)) | 0;
      }
      hidden[unit] = total > 0 ? total >> shift : 0;
    }
  };
  return { context, hidden, compute };
}

/** The few parts of WebAssembly that are used: not every platform's types have it. */
interface WasmPlatform {
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: { compute: VectorCompute } };
}
/** Addresses and sizes in bytes; see {@link PROGRAM}. */
type VectorCompute = (
  weights: number,
  offsets: number,
  context: number,
  hidden: number,
  rowBytes: number,
  hiddenEnd: number,
  shift: number,
) => void;

const VECTOR_VALUES = 8;
const PAGE_BYTES = 65_536;

/** With vectors; undefined where there are none, or a page's security policy forbids WebAssembly. */
export function vectorLayer(tables: EntropyTables): HiddenLayer | undefined {
  const { embeddingSize, hiddenSize, quantizers } = tables;
  const width = 2 * embeddingSize;
  // Rows begin at whole vectors; what is added to them stays zero.
  const rowValues = Math.ceil(width / VECTOR_VALUES) * VECTOR_VALUES;
  const rowBytes = 2 * rowValues;
  const rows = quantizers * hiddenSize;
  const offsets = rows * rowBytes;
  const contextAt = offsets + 4 * Math.ceil(rows / 4) * 4;
  const hiddenAt = contextAt + rowBytes;
  const end = hiddenAt + 4 * hiddenSize;
  try {
    const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: WasmPlatform }).WebAssembly;
    const memory = new Memory({ initial: Math.ceil(end / PAGE_BYTES) });
    const run = new Instance(new Module(PROGRAM), { m: { m: memory } }).exports.compute;
    const weights = new Int16Array(memory.buffer, 0, rows * rowValues);
    for (let row = 0; row < rows; row += 1) {
      weights.set(tables.context.subarray(row * width, (row + 1) * width), row * rowValues);
    }
    new Int32Array(memory.buffer, offsets, rows).set(tables.offset);
    const shift = shiftOf(tables);
    return {
      context: new Int16Array(memory.buffer, contextAt, width),
      hidden: new Int32Array(memory.buffer, hiddenAt, hiddenSize),
      compute: (quantizer) => {
        const first = quantizer * hiddenSize;
        run(first * rowBytes, offsets + 4 * first, contextAt, hiddenAt, rowBytes, end, shift);
      },
    };
  } catch {
    return undefined;
  }
}

function shiftOf({ embeddingBits, weightBits }: EntropyTables): number {
  return embeddingBits + weightBits - LOGIT_BITS;
}

// The instructions of WebAssembly that the program below is made of, as its binary format writes them.
const VECTOR = 0xfd;
const I32 = 0x7f;
const V128 = 0x7b;
const LOOP = [0x03, 0x40];
const END = 0x0b;
const BRANCH_IF = 0x0d;
const SELECT = 0x1b;
const ADD = 0x6a;
const SHIFT_RIGHT = 0x75;
const LESS = 0x49;
const GREATER = 0x4a;
const LOAD = [0x28, 2, 0];
const STORE = [0x36, 2, 0];
const VECTOR_LOAD = [VECTOR, 0, 4, 0];
const VECTOR_ZERO = [0x41, 0, VECTOR, 0x11];
const VECTOR_ADD = [VECTOR, 0xae, 1];
/** Products of eight 16-bit values, summed by pairs. */
const VECTOR_DOT = [VECTOR, 0xba, 1];
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const constant = (value: number): number[] => [0x41, value];
const lane = (index: number): number[] => [VECTOR, 0x1b, index];
const advance = (local: number, by: readonly number[]): number[] => [
  ...get(local),
  ...by,
  ADD,
  ...set(local),
];
const section = (id: number, content: readonly number[]): number[] => [id, ...sized(content)];
/** With its length in front, in as many bytes as lengths below 16,384 need. */
const sized = (content: readonly number[]): number[] => [
  0x80 | (content.length & 0x7f),
  content.length >> 7,
  ...content,
];

const PROGRAM = ((): Uint8Array => {
  const [weights, offsets, context, hidden, rowBytes, hiddenEnd, shift, sum, at, total] = Array(10).keys();
  const locals = [2, 1, V128, 2, I32];
  const code = [
    ...LOOP, // each unit
    ...[...VECTOR_ZERO, ...set(sum!), ...constant(0), ...set(at!)],
    ...LOOP, // each eight values of the context
    ...[...get(weights!), ...get(at!), ADD, ...VECTOR_LOAD],
    ...[...get(context!), ...get(at!), ADD, ...VECTOR_LOAD],
    ...[...VECTOR_DOT, ...get(sum!), ...VECTOR_ADD, ...set(sum!)],
    ...advance(at!, constant(16)),
    ...[...get(at!), ...get(rowBytes!), LESS, BRANCH_IF, 0, END],
    ...[...get(offsets!), ...LOAD],
    ...[0, 1, 2, 3].flatMap((index) => [...get(sum!), ...lane(index), ADD]),
    ...set(total!),
    ...[...get(hidden!), ...get(total!), ...get(shift!), SHIFT_RIGHT, ...constant(0)],
    ...[...get(total!), ...constant(0), GREATER, SELECT, ...STORE],
    ...advance(weights!, get(rowBytes!)),
    ...advance(offsets!, constant(4)),
    ...advance(hidden!, constant(4)),
    ...[...get(hidden!), ...get(hiddenEnd!), LESS, BRANCH_IF, 0, END],
  ];
  const name = (text: string): number[] => [
    text.length,
    ...Array.from(text, (letter) => letter.charCodeAt(0)),
  ];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 7, ...Array<number>(7).fill(I32), 0]),
    ...section(2, [1, ...name('m'), ...name('m'), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('compute'), 0, 0]),
    ...section(10, [1, ...sized([...locals, ...code, END])]),
  ]);
})();
