import { decodeWhole, encodePcm, type CodecModel } from '../../../codec/index.js';
import { takeQuantizers, type TokenBlock } from '../../../protocol/index.js';

/** Levels are of 20 ms. */
const FRAME_MS = 20;
/** What is called silence in the input, in dB of full scale: whatever is around it is below that for so long before and after. */
const SILENCE_DB = -75;
const GUARD_MS = 100;
/** Level of digital zero: sums of logarithms need one. */
const LEAST_DB = -120;

/** What must hold for any input at any depth. Levels in dB of full scale. */
export const BOUNDS = {
  /** The output is no more than so much louder than the input, or than the level of a quiet room. */
  gainDb: 3,
  quietDb: -70,
  /** The loudest 20 ms where the input is silent. */
  burstDb: -65,
} as const;

/** What the codec made of a sound at one depth. */
export interface Resynthesis {
  readonly quantizers: number;
  readonly pcm: Float32Array;
}

/** Levels of a resynthesis beside its input, in dB of full scale (RMS). */
export interface LevelFigures {
  readonly inputDb: number;
  readonly outputDb: number;
  /** Largest absolute sample. */
  readonly peak: number;
  /** Loudest 20 ms of the output where the input is silent; undefined where it never is. */
  readonly burstDb: number | undefined;
  readonly nonFiniteSamples: number;
}

/** Encodes once and decodes at each depth; every output is as long as the input and aligned with it. */
export async function resynthesize(
  model: CodecModel,
  input: Float32Array,
  depths: readonly number[],
): Promise<Resynthesis[]> {
  const blocks: TokenBlock[] = [];
  for await (const block of encodePcm(model, input)) blocks.push(block);
  const all: Resynthesis[] = [];
  for (const quantizers of depths) {
    const cut = blocks.map((block) => takeQuantizers(block, quantizers));
    all.push({ quantizers, pcm: await decodeWhole(model, cut, input.length) });
  }
  return all;
}

/** Mean level in dB of full scale, -120 at least. */
export function levelDb(pcm: Float32Array): number {
  const power = pcm.reduce((sum, sample) => sum + sample ** 2, 0) / Math.max(1, pcm.length);
  return Math.max(LEAST_DB, 10 * Math.log10(power));
}

/** Compares the levels of two signals of the same length. */
export function compareLevels(input: Float32Array, output: Float32Array, sampleRate: number): LevelFigures {
  const frame = Math.round((FRAME_MS / 1000) * sampleRate);
  const guard = Math.ceil(GUARD_MS / FRAME_MS);
  const count = Math.floor(input.length / frame);
  const levels = (pcm: Float32Array): number[] =>
    Array.from({ length: count }, (_, index) => levelDb(pcm.subarray(index * frame, (index + 1) * frame)));
  const inputLevels = levels(input);
  const bursts = levels(output).filter((_, index) =>
    inputLevels.slice(Math.max(0, index - guard), index + guard + 1).every((level) => level < SILENCE_DB),
  );
  return {
    inputDb: levelDb(input),
    outputDb: levelDb(output),
    peak: output.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0),
    burstDb: bursts.length === 0 ? undefined : Math.max(...bursts),
    nonFiniteSamples: output.reduce((total, sample) => total + (Number.isFinite(sample) ? 0 : 1), 0),
  };
}

/** Which of {@link BOUNDS} are broken, in words; empty where all hold. */
export function brokenBounds(figures: LevelFigures): string[] {
  const { inputDb, outputDb, peak, burstDb, nonFiniteSamples } = figures;
  const broken: string[] = [];
  if (nonFiniteSamples > 0) broken.push(`${nonFiniteSamples} samples are not finite`);
  if (!(peak <= 1)) broken.push(`a sample of ${peak}`);
  if (!(outputDb <= Math.max(inputDb, BOUNDS.quietDb) + BOUNDS.gainDb)) {
    broken.push(`${outputDb.toFixed(1)} dB from ${inputDb.toFixed(1)} dB`);
  }
  if (burstDb !== undefined && !(burstDb <= BOUNDS.burstDb))
    broken.push(`a burst of ${burstDb.toFixed(1)} dB in silence`);
  return broken;
}
