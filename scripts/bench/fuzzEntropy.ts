import { TokenDecoder } from '../../codec/entropy/index.js';
import { loadEntropyTables } from '../../codec/entropyTables.js';
import { TesseraError } from '../../protocol/index.js';

const DEFAULT_PACKETS = 10_000_000;
const MAX_FRAMES = 4;
const MAX_SEGMENT_BYTES = 12;

/** Feeds the decoder random packets, and fails on anything but codes or `bad_tokens`. */
const count = Number(process.argv[2] ?? DEFAULT_PACKETS);
const tables = await loadEntropyTables();
if (tables === undefined) throw new Error('The bundled model has no entropy tables');
const decoder = new TokenDecoder(tables);
const bytes = new Uint8Array(2 ** 16);
let state = 1;
const below = (bound: number): number => {
  // xorshift32
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % bound;
};
for (let at = 0; at < bytes.length; at += 1) bytes[at] = below(256);
let decoded = 0;
let mostMs = 0;
const start = performance.now();
for (let packet = 0; packet < count; packet += 1) {
  const quantizers = 1 + below(tables.quantizers);
  const isCuttable = below(4) === 0;
  const segments = Array.from({ length: isCuttable ? quantizers : 1 }, () => {
    const from = below(bytes.length - MAX_SEGMENT_BYTES);
    return bytes.subarray(from, from + below(MAX_SEGMENT_BYTES));
  });
  const run = {
    firstFrameIndex: below(4),
    frameCount: 1 + below(MAX_FRAMES),
    quantizers,
    isContinued: below(2) === 0,
    isVaried: below(2) === 0,
    isCuttable,
    segments,
  };
  const begun = performance.now();
  try {
    decoder.decode(run);
    decoded += 1;
  } catch (error) {
    if (!(error instanceof TesseraError) || error.code !== 'bad_tokens') throw error;
  }
  mostMs = Math.max(mostMs, performance.now() - begun);
}
const seconds = (performance.now() - start) / 1000;
const memory = Math.round(process.memoryUsage().rss / 2 ** 20);
console.log(
  `${count} random packets in ${seconds.toFixed(0)} s, ${decoded} gave codes; longest ${mostMs.toFixed(1)} ms; ${memory} MiB`,
);
