import { CodecModel, encodePcm } from '../../codec/index.js';
import { TokenDecoder, TokenEncoder, type EntropyTables } from '../../codec/entropy/index.js';
import { loadEntropyTables } from '../../codec/entropyTables.js';
import {
  bitsPerCode,
  packedLength,
  sliceFrames,
  takeQuantizers,
  type TokenBlock,
} from '../../protocol/index.js';
import { describeMachine } from './machine.js';
import { readRecordings } from './recordings.js';

/** How a recording is cut into packets. */
interface Packeting {
  readonly name: string;
  /** Seconds; undefined: one frame. */
  readonly seconds: number | undefined;
  /** Packets continue each other for so many frames. */
  readonly chainFrames: number;
  readonly isCuttable: boolean;
}

const PACKETINGS: readonly Packeting[] = [
  { name: 'one packet', seconds: Infinity, chainFrames: 1, isCuttable: false },
  { name: '5 s alone', seconds: 5, chainFrames: 1, isCuttable: false },
  { name: '1 s alone', seconds: 1, chainFrames: 1, isCuttable: false },
  { name: '1 s cuttable', seconds: 1, chainFrames: 1, isCuttable: true },
  { name: '1 frame chained', seconds: undefined, chainFrames: 100, isCuttable: false },
];

interface Figures {
  bytes: number;
  packedBytes: number;
  codes: number;
  frames: number;
  cpuMs: number;
}

const [folder, modelName] = process.argv.slice(2);
if (folder === undefined) throw new Error('Usage: npm run bench:entropy -- FOLDER [MODEL]');
const model = await CodecModel.load({
  provider: 'cpu',
  ...(modelName === undefined ? {} : { model: modelName }),
});
const tables = await loadEntropyTables(modelName);
if (tables === undefined) throw new Error('This model has no entropy tables');
const { frameRate, quantizers: deepest, codebookSize } = model.summary;
const recordings: TokenBlock[][] = [];
for (const { samples } of await readRecordings([folder], model.manifest.sampleRate)) {
  const blocks: TokenBlock[] = [];
  for await (const block of encodePcm(model, samples)) blocks.push(block);
  recordings.push(blocks);
}
await model.close();

console.log(
  `${describeMachine()}\n${recordings.length} recordings, ${model.summary.name} ${model.summary.version}\n`,
);
console.log(`| q | ${PACKETINGS.map(({ name }) => name).join(' | ')} | encode + decode, share of a core |`);
console.log(`|---|${PACKETINGS.map(() => '---').join('|')}|---|`);
for (let quantizers = 1; quantizers <= deepest; quantizers += 1) {
  const rows = PACKETINGS.map((packeting) => measure(quantizers, packeting, tables));
  const cells = rows.map(({ bytes, packedBytes, codes }, at) => {
    const saving = 1 - (8 * bytes) / (codes * bitsPerCode(codebookSize));
    const overPacked = 1 - bytes / packedBytes;
    return PACKETINGS[at]?.seconds === undefined
      ? `${percent(saving)} (${percent(overPacked)} of packed packets)`
      : percent(saving);
  });
  const [, five] = rows;
  const share = five === undefined ? 0 : five.cpuMs / ((1000 * five.frames) / frameRate);
  console.log(`| ${quantizers} | ${cells.join(' | ')} | ${percent(share, 2)} |`);
}

/** Codes and reads all recordings, and makes sure that nothing was lost. */
function measure(quantizers: number, packeting: Packeting, entropy: EntropyTables): Figures {
  const figures: Figures = { bytes: 0, packedBytes: 0, codes: 0, frames: 0, cpuMs: 0 };
  const size = packeting.seconds === undefined ? 1 : packeting.seconds * frameRate;
  for (const blocks of recordings) {
    const encoder = new TokenEncoder(entropy);
    const decoder = new TokenDecoder(entropy);
    for (const group of groups(blocks, quantizers, size)) {
      const first = group[0]?.firstFrameIndex ?? 0;
      const isFresh = size > 1 || first % packeting.chainFrames === 0;
      const start = process.cpuUsage();
      const run = encoder.encode(group, { isFresh, isCuttable: packeting.isCuttable });
      const decoded = decoder.decode(run);
      const { user, system } = process.cpuUsage(start);
      figures.cpuMs += (user + system) / 1000;
      checkEqual(group, decoded);
      // A cuttable packet has a length a segment in its header.
      const lengths = packeting.isCuttable ? quantizers - 1 : 0;
      figures.bytes += run.segments.reduce((total, segment) => total + segment.length, lengths);
      figures.frames += run.frameCount;
      figures.codes += run.frameCount * quantizers;
      figures.packedBytes += packedLength(run.frameCount * quantizers, codebookSize);
    }
  }
  return figures;
}

function* groups(blocks: readonly TokenBlock[], quantizers: number, size: number): Generator<TokenBlock[]> {
  const frames = blocks.flatMap((block) =>
    Array.from({ length: block.frameCount }, (_, at) => {
      const index = block.firstFrameIndex + at;
      return takeQuantizers(sliceFrames(block, index, index + 1) ?? block, quantizers);
    }),
  );
  for (let at = 0; at < frames.length; at += size) yield frames.slice(at, at + size);
}

function checkEqual(one: readonly TokenBlock[], other: readonly TokenBlock[]): void {
  const [joined] = other;
  const same =
    joined !== undefined &&
    one.every(({ codes }, frame) =>
      codes.every((code, quantizer) => joined.codes[quantizer * joined.frameCount + frame] === code),
    );
  if (!same) throw new Error('Codes were lost');
}

function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)}%`;
}
