/**
 * How much of recorded speech the codec keeps, beside other codecs at their bitrates: `npm run bench:quality -- RECORDINGS…`.
 * Files and directories; every codec takes the same recordings, whole, as they are and with noise. Writes into the folder
 * `--out` a report, charts, figures for machines, and a page to listen to the first `--listen N` recordings.
 *
 * `--choose FOLDER` holds other recordings, on which settings of adaptive depth are chosen for `--rates`. `--lyra FOLDER` names the
 * model files of Lyra v2. `--limit N` takes the first N recordings, for a quick look.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadManifest } from '../../codec/index.js';
import { MODEL_OPTION } from './benchOptions.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';
import { drawRateDistortion, renderPng } from './quality/charts.js';
import { openTessera } from './quality/codecs.js';
import { summarize, type SetFigures } from './quality/figures.js';
import { listeningPage, type ListeningItem } from './quality/listen.js';
import { chooseSettings } from './quality/matchedRates.js';
import type { Task, TaskResult } from './quality/measure.js';
import { addNoise, NOISE_DESCRIPTION } from './quality/noise.js';
import { readRecordings, type Recording } from './recordings.js';
import { qualityReport } from './quality/report.js';
import { SCORES } from './quality/scores.js';
import { QualityThreads } from './quality/threads.js';
import { judge } from './quality/verdict.js';
import type { DepthSetting } from './rivals/tessera.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...MODEL_OPTION,
    quantizers: { type: 'string', default: '1,2,3,6,9,12,16' },
    choose: { type: 'string' },
    rates: { type: 'string', default: '1.5,3,6' },
    lyra: { type: 'string' },
    limit: { type: 'string', default: 'Infinity' },
    listen: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(Math.max(1, availableParallelism() - 1)) },
    out: { type: 'string', default: 'out/quality' },
  },
});

const { name, version, sampleRate } = await loadManifest(values.model);
const recordings = await readRecordings(positionals, sampleRate, Number(values.limit));
if (recordings.length === 0) throw new Error('Name recordings, or a folder of them');
const otherLoad = describeOtherLoad();

const fixed = values.quantizers.split(',').map((count): DepthSetting => ({ maxQuantizers: Number(count) }));
const chosen = values.choose === undefined ? [] : await choose(values.choose);
const threads = await QualityThreads.start(Number(values.threads), {
  model: values.model,
  settings: [...fixed, ...chosen],
  lyra: values.lyra,
});
const { rows, absent } = threads.ready;
for (const reason of absent) console.error(`Not run here: ${reason}`);

const plain = recordings.map(({ samples }, index): Task => ({
  input: samples,
  isKept: index < Number(values.listen),
}));
const noisy = addNoise(recordings).map(({ samples }, index): Task => ({
  input: samples,
  clean: recordings[index]?.samples ?? samples,
  isKept: false,
}));
const results = await threads.run([...plain, ...noisy], sampleRate, (done) =>
  process.stderr.write(`\r${done} of ${plain.length + noisy.length} recordings`),
);
process.stderr.write('\n');
await threads.stop();
const plainResults = results.slice(0, plain.length);
const recorded = summarize(
  { name: 'as recorded', description: 'The recordings as they are.' },
  plain,
  plainResults,
  rows,
  sampleRate,
);
const withNoise = summarize(
  { name: 'with noise', description: NOISE_DESCRIPTION },
  noisy,
  results.slice(plain.length),
  rows,
  sampleRate,
);
await write([recorded, withNoise], listeningItems(recordings, plainResults, recorded));

async function choose(folder: string): Promise<DepthSetting[]> {
  const tessera = await openTessera(values.model);
  const others = await readRecordings([folder], sampleRate);
  const settings = await chooseSettings(tessera, others, values.rates.split(',').map(Number));
  await tessera.model.close();
  return settings;
}

function listeningItems(
  all: readonly Recording[],
  heard: readonly TaskResult[],
  { rows: figures }: SetFigures,
): ListeningItem[] {
  return all.slice(0, Number(values.listen)).map(({ name: title, samples }, index) => ({
    name: title,
    versions: [
      { name: 'Original', note: '', samples },
      ...(heard[index]?.rows ?? []).flatMap((row) => {
        const kbps = figures.find((one) => one.name === row.name)?.kbps.toFixed(2) ?? '';
        const note = `${kbps} kbit/s, STOI ${row.scores.stoi.toFixed(3)} here`;
        return row.samples ? [{ name: row.name, note, samples: row.samples }] : [];
      }),
    ],
  }));
}

async function write(sets: readonly SetFigures[], items: readonly ListeningItem[]): Promise<void> {
  const [first] = sets;
  if (!first) return;
  const verdicts = judge(first.rows);
  const heading = [
    `${describeMachine()}; ${otherLoad}`,
    `\`${describeCommand('bench:quality')}\``,
    `${new Date().toISOString().slice(0, 10)}, model ${name} ${version}`,
  ];
  await mkdir(values.out, { recursive: true });
  const place = (file: string): string => join(values.out, file);
  const report = qualityReport(sets, verdicts, { heading, absent, chart: 'quality.png' });
  const svg = drawRateDistortion(first);
  const summary = {
    heading,
    absent,
    scores: SCORES,
    sets,
    verdicts: verdicts.map(({ kbps, tessera }) => ({ kbps, tessera: tessera.name })),
  };
  await writeFile(place('quality.md'), report);
  await writeFile(place('quality.json'), `${JSON.stringify(summary, null, 1)}\n`);
  await writeFile(place('quality.svg'), svg);
  await writeFile(place('quality.png'), renderPng(svg));
  if (items.length > 0) await writeFile(place('listen.html'), await listeningPage(items, sampleRate));
  console.log(report);
}
