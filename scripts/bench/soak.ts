/**
 * Whether the server's memory grows: `npm run bench:soak [-- --minutes 10] [--sessions 4]`. Sessions stream speech in
 * real time, every other one through the decoder too; the server's resident memory is read every ten seconds.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadManifest, readAudio } from '../../codec/index.js';
import { MODEL_OPTION } from './benchOptions.js';
import { LiveSession } from './liveSession.js';
import { describeCommand, describeMachine } from './machine.js';
import { ServerProcess } from './serverProcess.js';

const SPEECH = fileURLToPath(new URL('../../../test/fixtures/speech-en-1.wav', import.meta.url));
const SAMPLE_MS = 10_000;
/** The first minute fills caches and heaps. */
const WARM_UP_SAMPLES = 6;
const MEBIBYTE = 2 ** 20;

const { values: options } = parseArgs({
  options: {
    ...MODEL_OPTION,
    minutes: { type: 'string', default: '10' },
    sessions: { type: 'string', default: '4' },
  },
});

async function main(): Promise<void> {
  const manifest = await loadManifest(options.model);
  const speech = await readAudio(SPEECH, { sampleRate: manifest.sampleRate });
  // What is measured is memory, however busy the machine is.
  const admission = ['--max-sessions', options.sessions];
  const server = await ServerProcess.start(['--model', options.model, ...admission]);
  try {
    console.log(
      `${describeMachine()}\n${describeCommand('bench:soak')}\n${manifest.name} ${manifest.version}\n`,
    );
    const modes = Array.from({ length: Number(options.sessions) }, (_, index) =>
      index % 2 === 0 ? ('encode' as const) : ('resynth' as const),
    );
    const sessions = await Promise.all(
      modes.map((mode) => LiveSession.open(server.url, mode, speech, manifest.sampleRate)),
    );
    console.log('| seconds | resident MiB |\n|---|---|');
    const figures: number[] = [];
    for (let sample = 0; sample <= 6 * Number(options.minutes); sample += 1) {
      if (sample > 0) await Promise.all(sessions.map((session) => session.stream(SAMPLE_MS)));
      const bytes = await server.residentBytes();
      figures.push(bytes);
      console.log(`| ${(sample * SAMPLE_MS) / 1000} | ${(bytes / MEBIBYTE).toFixed(1)} |`);
    }
    const frames = sessions.reduce((total, session) => total + session.sentMs.length, 0);
    const lost = sessions.reduce((total, session) => total + session.gapFrames, 0);
    await Promise.all(sessions.map((session) => session.close()));
    const settled = figures.slice(Math.min(WARM_UP_SAMPLES, figures.length - 1));
    const [first = NaN] = settled;
    const drift = ((settled.at(-1) ?? NaN) - first) / first;
    const spread = (Math.max(...settled) - Math.min(...settled)) / first;
    const percent = (value: number): string => `${(100 * value).toFixed(1)}%`;
    console.log(`\n${frames} frames of ${sessions.length} sessions, ${lost} lost.`);
    console.log(`After the first minute: drift ${percent(drift)}, spread ${percent(spread)}.`);
  } finally {
    await server.stop();
  }
}

await main();
