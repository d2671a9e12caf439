import { tmpdir } from 'node:os';
import { readAudio } from '../../codec/index.js';
import { planEncoding } from '../cli/encodePlan.js';

/** A recording, mono. */
export interface Recording {
  readonly name: string;
  readonly samples: Float32Array;
}

/** Reads files and directories at `sampleRate` Hz, those that cannot be read are named on standard error. */
export async function readRecordings(
  paths: readonly string[],
  sampleRate: number,
  limit = Infinity,
): Promise<Recording[]> {
  const { tasks, failures } = await planEncoding(paths, tmpdir(), 'tsr');
  for (const { error } of failures) console.error(error.message);
  const recordings: Recording[] = [];
  for (const { input, id } of tasks.slice(0, limit)) {
    recordings.push({ name: id, samples: await readAudio(input, { sampleRate }) });
  }
  return recordings;
}
