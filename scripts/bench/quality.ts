/**
 * How much of recorded speech the codec keeps, beside other codecs at their bitrates: `npm run bench:quality -- RECORDINGS…
 * [--quantizers 1,3,6,12] [--json FILE]`. Files and directories; every codec takes the same recordings, whole.
 */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { loadEntropyTables } from '../../codec/entropyTables.js';
import { CodecModel, readAudio, scoreSpeech, type SpeechScores } from '../../codec/index.js';
import { planEncoding } from '../cli/encodePlan.js';
import { MODEL_OPTION } from './benchOptions.js';
import { describeCommand, describeMachine } from './machine.js';
import { PROGRAM_RIVALS } from './rivals/programs.js';
import { missingPrograms, type Row } from './rivals/rival.js';
import { tesseraRow } from './rivals/tessera.js';

const COLUMNS = [
  ['stoi', 'STOI', 3],
  ['extendedStoi', 'ESTOI', 3],
  ['logMelDistance', 'log-mel', 3],
  ['logSpectralDistanceDb', 'log-spectral dB', 2],
  ['waveformCorrelation', 'correlation', 3],
  ['segmentalSnrDb', 'segmental SNR dB', 2],
] as const satisfies readonly (readonly [keyof SpeechScores, string, number])[];

/** Means over the recordings. */
interface Figures {
  readonly name: string;
  readonly kbps: number;
  /** Seconds of sound in a second of work. */
  readonly timesRealTime: number;
  readonly scores: Readonly<Record<string, number>>;
}

async function measure(row: Row, recordings: readonly Float32Array[], sampleRate: number): Promise<Figures> {
  const totals = new Map<keyof SpeechScores, number>();
  let bits = 0;
  let samples = 0;
  let workMs = 0;
  for (const speech of recordings) {
    const start = performance.now();
    const coded = await row.code(speech, sampleRate);
    workMs += performance.now() - start;
    bits += coded.bits;
    samples += speech.length;
    const scores =
      row.delayMs === undefined
        ? scoreSpeech(speech, coded.samples, sampleRate)
        : scoreSpeech(speech, coded.samples.subarray((row.delayMs * sampleRate) / 1000), sampleRate, 0);
    for (const [key] of COLUMNS) totals.set(key, (totals.get(key) ?? 0) + scores[key]);
  }
  const seconds = samples / sampleRate;
  return {
    name: row.name,
    kbps: bits / seconds / 1000,
    timesRealTime: (1000 * seconds) / workMs,
    scores: Object.fromEntries([...totals].map(([key, total]) => [key, total / recordings.length])),
  };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...MODEL_OPTION,
      quantizers: { type: 'string', default: '1,3,6,12' },
      json: { type: 'string' },
    },
  });
  const depths = values.quantizers.split(',').map(Number);
  const { tasks, failures } = await planEncoding(positionals, tmpdir(), 'tsr');
  for (const { error } of failures) console.error(error.message);
  const model = await CodecModel.load({ model: values.model, provider: 'cpu' });
  const tables = await loadEntropyTables(values.model);
  const { name, version, sampleRate } = model.manifest;
  const recordings: Float32Array[] = [];
  for (const { input } of tasks) recordings.push(await readAudio(input, { sampleRate }));
  const rows = depths.flatMap((quantizers) => [
    tesseraRow(model, quantizers, 'fixed', undefined),
    ...(tables
      ? [tesseraRow(model, quantizers, 'fixed', tables), tesseraRow(model, quantizers, 'adaptive', tables)]
      : []),
  ]);
  const absent: string[] = [];
  for (const rival of PROGRAM_RIVALS) {
    const missing = await missingPrograms(rival);
    if (missing.length > 0) absent.push(`${rival.name} (no ${missing.join(', ')})`);
    else rows.push(...rival.rows);
  }
  const machine = `${describeMachine()}\n${describeCommand('bench:quality')}\n${name} ${version}`;
  console.log(`${machine}, ${recordings.length} recordings, means\n`);
  if (absent.length > 0) console.log(`Absent here: ${absent.join(', ')}\n`);
  console.log(`| codec | kbit/s | ${COLUMNS.map(([, title]) => title).join(' | ')} | times real time |`);
  console.log(`|${'---|'.repeat(COLUMNS.length + 3)}`);
  const all: Figures[] = [];
  for (const row of rows) {
    const figures = await measure(row, recordings, sampleRate);
    all.push(figures);
    const cells = COLUMNS.map(([key, , digits]) => (figures.scores[key] ?? NaN).toFixed(digits));
    console.log(
      `| ${figures.name} | ${figures.kbps.toFixed(2)} | ${cells.join(' | ')} | ${figures.timesRealTime.toFixed(0)} |`,
    );
  }
  await model.close();
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(all, null, 1)}\n`);
}

await main();
