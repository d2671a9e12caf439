/**
 * How much of recorded speech the codec keeps, beside other codecs at their bitrates: `npm run bench:quality -- RECORDINGS…`.
 * Files and directories; every codec takes the same recordings, whole. Writes a report, charts and figures for machines
 * into the folder `--out`. `--lyra FOLDER` names the model files of Lyra v2; `--limit N` takes the first N recordings, for a quick look.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadManifest } from '../../codec/index.js';
import { MODEL_OPTION } from './benchOptions.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';
import { drawRateDistortion, renderPng } from './quality/charts.js';
import { summarize, type SetFigures } from './quality/figures.js';
import type { Task } from './quality/measure.js';
import { readRecordings } from './quality/recordings.js';
import { qualityReport } from './quality/report.js';
import { QualityThreads } from './quality/threads.js';
import { judge } from './quality/verdict.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...MODEL_OPTION,
    quantizers: { type: 'string', default: '1,2,3,6,9,12,16' },
    lyra: { type: 'string' },
    limit: { type: 'string', default: 'Infinity' },
    threads: { type: 'string', default: String(Math.max(1, availableParallelism() - 1)) },
    out: { type: 'string', default: 'out/quality' },
  },
});

const { name, version, sampleRate } = await loadManifest(values.model);
const recordings = await readRecordings(positionals, sampleRate, Number(values.limit));
if (recordings.length === 0) throw new Error('Name recordings, or a folder of them');
const otherLoad = describeOtherLoad();
const settings = values.quantizers.split(',').map((count) => ({ maxQuantizers: Number(count) }));
const threads = await QualityThreads.start(Number(values.threads), {
  model: values.model,
  settings,
  lyra: values.lyra,
});
const { rows, absent } = threads.ready;
for (const reason of absent) console.error(`Not run here: ${reason}`);
const sets: SetFigures[] = [];
const tasks = recordings.map(({ samples }): Task => ({ input: samples, isKept: false }));
const results = await threads.run(tasks, sampleRate, (done) =>
  process.stderr.write(`\r${done} of ${tasks.length} recordings`),
);
const set = { name: 'as recorded', description: 'The recordings as they are.' };
sets.push(summarize(set, tasks, results, rows, sampleRate));
process.stderr.write('\n');
await threads.stop();

const [recorded] = sets;
if (!recorded) throw new Error('No set');
const verdicts = judge(recorded.rows);
const heading = [
  `${describeMachine()}; ${otherLoad}`,
  `\`${describeCommand('bench:quality')}\``,
  `${new Date().toISOString().slice(0, 10)}, model ${name} ${version}`,
];
await mkdir(values.out, { recursive: true });
const place = (file: string): string => join(values.out, file);
const report = qualityReport(sets, verdicts, { heading, absent, chart: 'quality.png' });
const svg = drawRateDistortion(recorded);
await writeFile(place('quality.md'), report);
await writeFile(place('quality.json'), `${JSON.stringify({ heading, absent, sets, verdicts }, null, 1)}\n`);
await writeFile(place('quality.svg'), svg);
await writeFile(place('quality.png'), renderPng(svg));
console.log(report);
