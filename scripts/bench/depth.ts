/**
 * What adaptive depth saves: `npm run bench:depth -- RECORDINGS… [--quantizers 4,6,8] [--strength 0.5]`. Recordings as they
 * are, and as one side of a conversation: 45% speech, the rest the faint noise of a room. Bits of the codes are compared
 * with those of the fixed depth, between whole numbers of quantizers if need be, that has the same score.
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import {
  AdaptiveDepth,
  CodecModel,
  decodeTokens,
  readAudio,
  scoreSpeech,
  StreamingEncoder,
  type EncodedBlock,
  type SpeechScores,
} from '../../codec/index.js';
import { takeQuantizers, type TokenBlock } from '../../protocol/index.js';
import { planEncoding } from '../cli/encodePlan.js';
import { MODEL_OPTION } from './benchOptions.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';

const SCORES = [
  ['stoi', 'STOI', 1],
  ['extendedStoi', 'ESTOI', 1],
  ['logMelDistance', 'log-mel', -1],
] as const satisfies readonly (readonly [keyof SpeechScores, string, 1 | -1])[];
type Score = (typeof SCORES)[number][0];

/** Share of the time that one side of a conversation speaks. */
const SPEECH_SHARE = 0.45;
/** Mean level of the room's noise. */
const ROOM_DB = -65;

/** Means over recordings. */
interface Outcome {
  readonly quantizers: number;
  readonly scores: Readonly<Record<Score, number>>;
}

/** A recording as it is encoded, and where its pauses are. */
interface Sound {
  readonly pcm: Float32Array;
  /** Samples of the pause in front and of the one behind. */
  readonly pauseSamples: number;
}

/** The decoded noise of pauses beside the noise itself. */
interface PauseSound {
  readonly levelDifferenceDb: number;
  /** Loudest stretch of 20 ms over the mean. */
  readonly burstDb: number;
}

/** One side of a conversation: half of the pause before the speech, half after it, noise in all of it. */
function asConversation(speech: Float32Array): Sound {
  const pauseSamples = Math.round((speech.length * (1 / SPEECH_SHARE - 1)) / 2);
  const pcm = new Float32Array(speech.length + 2 * pauseSamples);
  let seed = 1;
  let previous = 0;
  // White noise through a one-pole low-pass, which makes it about as dull as a room; its own gain is taken out again.
  const gain = 10 ** (ROOM_DB / 20) * Math.sqrt(3 * (1 - 0.9 ** 2));
  for (let at = 0; at < pcm.length; at += 1) {
    seed = (Math.imul(1664525, seed) + 1013904223) >>> 0;
    previous = 0.9 * previous + gain * (seed / 2 ** 31 - 1);
    pcm[at] = previous + (speech[at - pauseSamples] ?? 0);
  }
  return { pcm, pauseSamples };
}

async function encode(model: CodecModel, pcm: Float32Array): Promise<EncodedBlock[]> {
  const encoder = new StreamingEncoder(model);
  encoder.isMeasuring = true;
  const blocks = [await encoder.push(pcm), await encoder.flush()];
  encoder.close();
  return blocks.filter((block) => block !== undefined);
}

async function decode(
  model: CodecModel,
  blocks: readonly TokenBlock[],
  length: number,
): Promise<Float32Array> {
  const decoded = new Float32Array(length);
  let offset = 0;
  for await (const piece of decodeTokens(model, blocks, { sampleCount: length })) {
    decoded.set(piece, offset);
    offset += piece.length;
  }
  return decoded;
}

function meanQuantizers(blocks: readonly TokenBlock[]): number {
  const frames = blocks.reduce((sum, { frameCount }) => sum + frameCount, 0);
  return blocks.reduce((sum, { frameCount, quantizers }) => sum + frameCount * quantizers, 0) / frames;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function levelDb(pcm: Float32Array): number {
  return 10 * Math.log10(pcm.reduce((sum, sample) => sum + sample ** 2, 1e-12) / pcm.length);
}

/** The last three quarters of the pause in front: what comes before is still the start of the stream. */
function listenToPause(sound: Sound, decoded: Float32Array, frameSamples: number): PauseSound | undefined {
  const start = Math.round(sound.pauseSamples / 4);
  const end = sound.pauseSamples - 2 * frameSamples;
  if (end - start < 10 * frameSamples) return undefined;
  const level = levelDb(decoded.subarray(start, end));
  let loudest = -Infinity;
  for (let at = start; at + frameSamples <= end; at += frameSamples) {
    loudest = Math.max(loudest, levelDb(decoded.subarray(at, at + frameSamples)));
  }
  return { levelDifferenceDb: level - levelDb(sound.pcm.subarray(start, end)), burstDb: loudest - level };
}

/** Quantizers of fixed depth with this score, between neighbours in proportion; undefined outside of what was run. */
function fixedEqual(
  fixed: readonly Outcome[],
  score: Score,
  direction: 1 | -1,
  value: number,
): number | undefined {
  for (const [index, upper] of fixed.entries()) {
    const lower = fixed[index - 1];
    if (!lower || direction * (upper.scores[score] - value) < 0) continue;
    const share = (value - lower.scores[score]) / (upper.scores[score] - lower.scores[score]);
    return share < 0 ? undefined : lower.quantizers + share * (upper.quantizers - lower.quantizers);
  }
  return undefined;
}

async function measure(
  model: CodecModel,
  sounds: readonly Sound[],
  maxima: readonly number[],
  strength: number,
): Promise<{ fixed: Outcome[]; adaptive: Outcome[]; pauses: PauseSound[] }> {
  const { sampleRate, hop, quantizers: all } = model.manifest;
  const runs = new Map<string, { quantizers: number[]; scores: SpeechScores[] }>();
  const pauses: PauseSound[] = [];
  const top = Math.min(all, Math.max(...maxima));
  for (const sound of sounds) {
    const { pcm } = sound;
    const blocks = await encode(model, pcm);
    const score = async (name: string, cut: readonly TokenBlock[]): Promise<Float32Array> => {
      const decoded = await decode(model, cut, pcm.length);
      const run = runs.get(name) ?? { quantizers: [], scores: [] };
      runs.set(name, run);
      run.quantizers.push(meanQuantizers(cut));
      run.scores.push(scoreSpeech(pcm, decoded, sampleRate));
      return decoded;
    };
    for (let depth = 1; depth <= top; depth += 1) {
      await score(
        `fixed ${depth}`,
        blocks.map((block) => takeQuantizers(block, depth)),
      );
    }
    for (const maxQuantizers of maxima) {
      const depth = new AdaptiveDepth({ frameRate: sampleRate / hop, strength });
      const cut = blocks.flatMap((block) => depth.cut(block, { minQuantizers: 1, maxQuantizers }));
      const pause = listenToPause(sound, await score(`adaptive ${maxQuantizers}`, cut), hop);
      if (pause) pauses.push(pause);
    }
  }
  const outcomes = (kind: string): Outcome[] =>
    [...runs].flatMap(([name, { quantizers, scores }]) => {
      if (!name.startsWith(kind)) return [];
      const means = SCORES.map(([key]) => [key, mean(scores.map((one) => one[key]))] as const);
      return { quantizers: mean(quantizers), scores: Object.fromEntries(means) as Record<Score, number> };
    });
  return { fixed: outcomes('fixed'), adaptive: outcomes('adaptive'), pauses };
}

function report(
  model: CodecModel,
  maxima: readonly number[],
  { fixed, adaptive, pauses }: Awaited<ReturnType<typeof measure>>,
): void {
  const { sampleRate, hop, codebookSize } = model.manifest;
  const kbps = (quantizers: number): string =>
    ((quantizers * Math.log2(codebookSize) * sampleRate) / hop / 1000).toFixed(2);
  console.log(`| depth | kbit/s | ${SCORES.map(([, title]) => `${title} | fewer bits`).join(' | ')} |`);
  console.log(`|${'---|'.repeat(2 + 2 * SCORES.length)}`);
  const row = (name: string, outcome: Outcome, isAdaptive: boolean): void => {
    const cells = SCORES.flatMap(([key, , direction]) => {
      const value = outcome.scores[key];
      const equal = isAdaptive ? fixedEqual(fixed, key, direction, value) : undefined;
      return [
        value.toFixed(3),
        equal === undefined ? '' : `${(100 * (1 - outcome.quantizers / equal)).toFixed(1)}%`,
      ];
    });
    console.log(`| ${name} | ${kbps(outcome.quantizers)} | ${cells.join(' | ')} |`);
  };
  fixed.forEach((outcome) => row(`fixed ${outcome.quantizers}`, outcome, false));
  adaptive.forEach((outcome, index) => row(`adaptive, at most ${maxima[index]}`, outcome, true));
  if (pauses.length === 0) return;
  const differences = pauses.map(({ levelDifferenceDb }) => levelDifferenceDb);
  const bursts = pauses.map(({ burstDb }) => burstDb);
  console.log(
    `\nPauses, decoded against the room's noise: ${mean(differences).toFixed(1)} dB in the mean, ${Math.min(...differences).toFixed(1)} to ` +
      `${Math.max(...differences).toFixed(1)} dB; loudest 20 ms over the mean: ${mean(bursts).toFixed(1)} dB, at worst ${Math.max(...bursts).toFixed(1)} dB`,
  );
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...MODEL_OPTION,
      quantizers: { type: 'string', default: '4,6,8' },
      strength: { type: 'string', default: '0.5' },
    },
  });
  const maxima = values.quantizers.split(',').map(Number);
  const { tasks, failures } = await planEncoding(positionals, tmpdir(), 'tsr');
  for (const { error } of failures) console.error(error.message);
  const model = await CodecModel.load({ model: values.model, provider: 'cpu' });
  const { name, version, sampleRate } = model.manifest;
  const speech: Float32Array[] = [];
  for (const { input } of tasks) speech.push(await readAudio(input, { sampleRate }));
  console.log(
    `${describeMachine()}; ${describeOtherLoad()}\n${describeCommand('bench:depth')}\n${name} ${version}, ${speech.length} recordings, means`,
  );
  for (const [title, sounds] of [
    ['Conversation', speech.map(asConversation)],
    ['The recordings as they are', speech.map((pcm): Sound => ({ pcm, pauseSamples: 0 }))],
  ] as const) {
    console.log(`\n## ${title}\n`);
    report(model, maxima, await measure(model, sounds, maxima, Number(values.strength)));
  }
  await model.close();
}

await main();
