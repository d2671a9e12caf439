import { scoreSpeech, type SpeechScores } from '../../../codec/index.js';
import type { Coded, Row } from '../rivals/rival.js';

/** One recording for all codecs. */
export interface Task {
  /** What the codecs get, and what their output is held against. */
  readonly input: Float32Array;
  /** The same speech without the noise that was added: the output is held against it as well. */
  readonly clean?: Float32Array;
  /** Whether the codecs' output is wanted. */
  readonly isKept: boolean;
}

/** What one codec at one setting made of a recording. */
export interface RowResult {
  readonly name: string;
  readonly bits: number;
  readonly workMs: number;
  readonly scores: SpeechScores;
  readonly cleanScores?: SpeechScores;
  /** As long as the input and aligned with it; only where wanted, and not for a row with the sound of another. */
  readonly samples?: Float32Array;
}

/** What all codecs made of a recording. */
export interface TaskResult {
  readonly rows: readonly RowResult[];
  /** Of the input against the clean speech. */
  readonly inputScores?: SpeechScores;
}

/** Sends a recording through every row. */
export async function measureRecording(
  rows: readonly Row[],
  { input, clean, isKept }: Task,
  sampleRate: number,
): Promise<TaskResult> {
  const results = new Map<string, RowResult>();
  for (const row of rows) {
    const coded = await row.code(input, sampleRate).catch((error: unknown) => {
      throw new Error(`${row.name} failed`, { cause: error });
    });
    const { bits, workMs } = coded;
    const same = row.sameSoundAs === undefined ? undefined : results.get(row.sameSoundAs);
    if (same) {
      const { scores, cleanScores } = same;
      results.set(row.name, { name: row.name, bits, workMs, scores, ...(cleanScores && { cleanScores }) });
      continue;
    }
    const score = (reference: Float32Array): SpeechScores => scoreRow(row, coded, reference, sampleRate);
    const scores = score(input);
    results.set(row.name, {
      name: row.name,
      bits,
      workMs,
      scores,
      ...(clean && { cleanScores: score(clean) }),
      ...(isKept && {
        samples: aligned(coded.samples, row.delayMs ?? scores.lagMs, input.length, sampleRate),
      }),
    });
  }
  return {
    rows: [...results.values()],
    ...(clean && { inputScores: scoreSpeech(clean, input, sampleRate, 0) }),
  };
}

function scoreRow(
  { delayMs }: Row,
  { samples }: Coded,
  reference: Float32Array,
  sampleRate: number,
): SpeechScores {
  if (delayMs === undefined) return scoreSpeech(reference, samples, sampleRate);
  return scoreSpeech(reference, samples.subarray((delayMs * sampleRate) / 1000), sampleRate, 0);
}

function aligned(samples: Float32Array, lagMs: number, length: number, sampleRate: number): Float32Array {
  const lag = Math.round((lagMs * sampleRate) / 1000);
  return Float32Array.from({ length }, (_, at) => samples[at + lag] ?? 0);
}
