/**
 * What the codec makes of noise, rooms, music, silence and signals that no microphone should send:
 * `npm run bench:robustness -- RECORDINGS… [--kbps 3] [--limit N] [--out FILE]`. Scores at one bitrate, levels at the least, that
 * and all codebooks. Exits with 1 where a bound is broken.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { CodecModel, scoreSpeech, stoi, type SpeechScores } from '../../codec/index.js';
import { resolveBitrate } from '../../protocol/index.js';
import { MODEL_OPTION } from './benchOptions.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';
import { readRecordings } from './recordings.js';
import { SOUND_CONDITIONS, SPEECH_CONDITIONS } from './robustness/conditions.js';
import { brokenBounds, compareLevels, resynthesize } from './robustness/measure.js';
import { robustnessReport, type ConditionFigures, type ScoredSound } from './robustness/report.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...MODEL_OPTION,
    kbps: { type: 'string', default: '3' },
    limit: { type: 'string', default: 'Infinity' },
    out: { type: 'string', default: 'out/robustness.md' },
  },
});

const model = await CodecModel.load({ model: values.model, provider: 'cpu' });
const { sampleRate, quantizers, name, version } = model.summary;
const scored = resolveBitrate({ maxBitsPerSecond: Number(values.kbps) * 1000 }, model.summary).maxQuantizers;
const depths = [...new Set([1, scored, quantizers])];
const recordings = await readRecordings(positionals, sampleRate, Number(values.limit));
if (recordings.length === 0) throw new Error('Name recordings, or a folder of them');
const otherLoad = describeOtherLoad();
const broken: string[] = [];

/** `clean` is the speech before anything happened to it. */
async function measure(
  title: string,
  input: Float32Array,
  { hasScores, clean }: { readonly hasScores: boolean; readonly clean?: Float32Array },
): Promise<ScoredSound> {
  const outputs = await resynthesize(model, input, depths);
  const levels = outputs.map(({ pcm }) => compareLevels(input, pcm, sampleRate));
  levels.forEach((figures, index) => {
    for (const what of brokenBounds(figures)) broken.push(`${title}, ${depths[index]} codebooks: ${what}`);
  });
  const output = outputs[depths.indexOf(scored)]?.pcm ?? input;
  // The output is aligned already, and a sine could be shifted by whole periods.
  const scores: SpeechScores | undefined = hasScores ? scoreSpeech(input, output, sampleRate, 0) : undefined;
  const cleanStoi = clean && ([stoi(clean, input, sampleRate), stoi(clean, output, sampleRate)] as const);
  return { scores, cleanStoi, levels };
}

const conditions: ConditionFigures[] = [];
for (const condition of SPEECH_CONDITIONS) {
  const sounds: ScoredSound[] = [];
  for (const [index, { name: recording, samples: speech }] of recordings.entries()) {
    process.stderr.write(`\r${condition.name}: ${index + 1} of ${recordings.length}     `);
    const others = [...recordings.slice(index + 1), ...recordings.slice(0, index)];
    const input = condition.apply({ sampleRate, speech, others: others.map(({ samples }) => samples) });
    sounds.push(await measure(`${condition.name}, ${recording}`, input, { hasScores: true, clean: speech }));
  }
  conditions.push({ name: condition.name, kind: 'speech', sounds });
}
for (const { name: title, kind, create } of SOUND_CONDITIONS) {
  process.stderr.write(`\r${title}               `);
  const sounds = [await measure(title, create(sampleRate), { hasScores: kind === 'music' })];
  conditions.push({ name: title, kind, sounds });
}
process.stderr.write('\n');
await model.close();

const lines = [
  `\`${describeCommand('bench:robustness')}\``,
  `${describeMachine()}; ${otherLoad} (nothing here depends on speed); ${new Date().toISOString().slice(0, 10)}; model ${name} ${version}.`,
  `${recordings.length} recordings; scores with ${scored} codebooks (${values.kbps} kbit/s), levels with ${depths.join(', ')}. Rooms, noise and music are synthetic and seeded: the corpus has no music.`,
];
const report = robustnessReport(conditions, lines, broken);
await mkdir(dirname(values.out), { recursive: true });
await writeFile(values.out, report);
console.log(report);
if (broken.length > 0) process.exitCode = 1;
