/**
 * What adaptive depth saves: `npm run bench:depth -- RECORDINGS… [--quantizers 4,6,8] [--strength 0.5]`. Recordings as they
 * are, and as one side of a conversation: 45% speech, the rest the faint noise of a room. Compared are the codes alone and
 * the bits that are left after entropy coding with the codes, at 10 bits each or so, of the fixed depth that has the same
 * score, between whole numbers of quantizers if need be.
 */
import { parseArgs } from 'node:util';
import { scoreSpeech, type SpeechScores } from '../../codec/index.js';
import type { TokenBlock } from '../../protocol/index.js';
import { MODEL_OPTION } from './benchOptions.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';
import { openTessera } from './quality/codecs.js';
import { whiteNoise } from './random.js';
import { readRecordings } from './recordings.js';
import type { DepthSetting, TesseraCodec } from './rivals/tessera.js';

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
  /** Of entropy-coded packets as in files. */
  readonly codedBitsPerFrame: number;
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
  const random = whiteNoise(1);
  let previous = 0;
  // White noise through a one-pole low-pass, which makes it about as dull as a room; its own gain is taken out again.
  const gain = 10 ** (ROOM_DB / 20) * Math.sqrt(3 * (1 - 0.9 ** 2));
  for (let at = 0; at < pcm.length; at += 1) {
    previous = 0.9 * previous + gain * random();
    pcm[at] = previous + (speech[at - pauseSamples] ?? 0);
  }
  return { pcm, pauseSamples };
}

function countFrames(blocks: readonly TokenBlock[]): number {
  return blocks.reduce((sum, { frameCount }) => sum + frameCount, 0);
}

function meanQuantizers(blocks: readonly TokenBlock[]): number {
  return blocks.reduce((sum, { codes }) => sum + codes.length, 0) / countFrames(blocks);
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
  codec: TesseraCodec,
  sounds: readonly Sound[],
  maxima: readonly number[],
  strength: number,
): Promise<{ fixed: Outcome[]; adaptive: Outcome[]; pauses: PauseSound[] }> {
  const { sampleRate, hop, quantizers: all } = codec.model.manifest;
  const top = Math.min(all, Math.max(...maxima));
  const settings: DepthSetting[] = [
    ...Array.from({ length: top }, (_, index) => ({ maxQuantizers: index + 1 })),
    ...maxima.map((maxQuantizers) => ({ maxQuantizers, strength })),
  ];
  const runs = settings.map((setting) => ({ setting, outcomes: [] as Outcome[] }));
  const pauses: PauseSound[] = [];
  for (const sound of sounds) {
    const encoded = await codec.encode(sound.pcm);
    for (const { setting, outcomes } of runs) {
      const blocks = codec.cut(encoded, setting);
      const decoded = await codec.decode(blocks, sound.pcm.length);
      outcomes.push({
        quantizers: meanQuantizers(blocks),
        codedBitsPerFrame: codec.codedBits(blocks) / countFrames(blocks),
        scores: scoreSpeech(sound.pcm, decoded, sampleRate),
      });
      const pause = setting.strength !== undefined && listenToPause(sound, decoded, hop);
      if (pause) pauses.push(pause);
    }
  }
  const means = runs.map(({ setting, outcomes }) => ({ setting, outcome: meanOutcome(outcomes) }));
  const pick = (isAdaptive: boolean): Outcome[] =>
    means.flatMap(({ setting, outcome }) =>
      (setting.strength !== undefined) === isAdaptive ? [outcome] : [],
    );
  return { fixed: pick(false), adaptive: pick(true), pauses };
}

function meanOutcome(outcomes: readonly Outcome[]): Outcome {
  const means = SCORES.map(([key]) => [key, mean(outcomes.map(({ scores }) => scores[key]))] as const);
  return {
    quantizers: mean(outcomes.map(({ quantizers }) => quantizers)),
    codedBitsPerFrame: mean(outcomes.map(({ codedBitsPerFrame }) => codedBitsPerFrame)),
    scores: Object.fromEntries(means) as Record<Score, number>,
  };
}

function report(
  codec: TesseraCodec,
  maxima: readonly number[],
  { fixed, adaptive, pauses }: Awaited<ReturnType<typeof measure>>,
): void {
  const { sampleRate, hop, codebookSize } = codec.model.manifest;
  const bitsPerCode = Math.log2(codebookSize);
  const kbps = (bitsPerFrame: number): string => ((bitsPerFrame * sampleRate) / hop / 1000).toFixed(2);
  const saved = (bitsPerFrame: number, equal: number): string =>
    `${(100 * (1 - bitsPerFrame / (bitsPerCode * equal))).toFixed(1)}%`;
  const titles = SCORES.map(([, title]) => `${title} | fewer codes | with coding`);
  console.log(`| depth | kbit/s | entropy-coded | ${titles.join(' | ')} |`);
  console.log(`|${'---|'.repeat(3 + 3 * SCORES.length)}`);
  const row = (name: string, outcome: Outcome, isAdaptive: boolean): void => {
    const bits = bitsPerCode * outcome.quantizers;
    const cells = SCORES.flatMap(([key, , direction]) => {
      const value = outcome.scores[key];
      const equal = isAdaptive ? fixedEqual(fixed, key, direction, value) : undefined;
      const savings =
        equal === undefined ? ['', ''] : [saved(bits, equal), saved(outcome.codedBitsPerFrame, equal)];
      return [value.toFixed(3), ...savings];
    });
    console.log(`| ${name} | ${kbps(bits)} | ${kbps(outcome.codedBitsPerFrame)} | ${cells.join(' | ')} |`);
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
  const codec = await openTessera(values.model);
  const { name, version, sampleRate } = codec.model.manifest;
  const recordings = await readRecordings(positionals, sampleRate);
  const speech = recordings.map(({ samples }) => samples);
  console.log(
    `${describeMachine()}; ${describeOtherLoad()}\n${describeCommand('bench:depth')}\n${name} ${version}, ${speech.length} recordings, means`,
  );
  for (const [title, sounds] of [
    ['Conversation', speech.map(asConversation)],
    ['The recordings as they are', speech.map((pcm): Sound => ({ pcm, pauseSamples: 0 }))],
  ] as const) {
    console.log(`\n## ${title}\n`);
    report(codec, maxima, await measure(codec, sounds, maxima, Number(values.strength)));
  }
  await codec.model.close();
}

await main();
