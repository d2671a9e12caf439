/**
 * What rate control makes of links: `npm run bench:bitrate [-- --parts links,fairness,fan-out,real,real-fairness] [--seeds 20] [--first-seed 1001]
 * [--shared 120] [--subscribers 200] [--model NAME] [--out docs/benchmarks/bitrate]`. Simulated links with steps, ramps, loss and traces like those of 2G
 * and LTE, against a fixed bitrate, Opus, and a sender that knows the trace; two sessions on
 * one link; what subscribers cost a real server; and, by root on Linux where it is asked for, the same traces over real TCP. Writes a
 * report and charts.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { frameRate, loadManifest, readAudio, type Manifest } from '../../codec/index.js';
import { bitsPerCode } from '../../protocol/bitPacking.js';
import type { ControlSettings } from '../../services/bitrate/index.js';
import { MODEL_OPTION } from './benchOptions.js';
import { shareLink, summarizeFairness } from './bitrate/fairness.js';
import { measureFanOut } from './bitrate/fanOut.js';
import { runLinks, type LinkFigures } from './bitrate/linkBench.js';
import { drawTrace } from './bitrate/linkCharts.js';
import { opusPackets } from './bitrate/opusPackets.js';
import { runRealLinks, runRealShares } from './bitrate/realLinks.js';
import { fairnessSection, fanOutSection, linkSection, realSection } from './bitrate/report.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';

const SPEECH = fileURLToPath(new URL('../../../test/fixtures/speech-en-1.wav', import.meta.url));
/** What a packet gathers at most, where the client names nothing else. */
const LONGEST_PACKET_MS = 120;
/** Of the traces that real links follow. */
const REAL_SEEDS = 3;
const REAL_SHARES = 40;
/** The first seconds compile. */
const FAN_OUT = { warmUpMs: 3000, durationMs: 10_000 };

const { values: options } = parseArgs({
  options: {
    ...MODEL_OPTION,
    parts: { type: 'string', default: 'links,fairness,fan-out' },
    seeds: { type: 'string', default: '20' },
    'first-seed': { type: 'string', default: '1001' },
    subscribers: { type: 'string', default: '200' },
    shared: { type: 'string', default: '120' },
    out: { type: 'string', default: 'docs/benchmarks/bitrate' },
  },
});

const firstSeed = Number(options['first-seed']);
const chartOf = ({ name }: LinkFigures): string => `${options.out}-${name.toLowerCase()}.svg`;

const manifest = await loadManifest(options.model);
const REAL_SOURCE = { model: options.model, speech: SPEECH, sampleRate: manifest.sampleRate };

const PARTS: Readonly<Record<string, (settings: ControlSettings) => string | Promise<string>>> = {
  links: async (settings) => {
    const opus = await opusPackets(SPEECH, settings.frameMs);
    const figures = runLinks(settings, opus, { firstSeed, seeds: Number(options.seeds) });
    for (const link of figures.links) await writeFile(chartOf(link), drawTrace(link.shown, settings));
    return linkSection(figures, opus, (link) => basename(chartOf(link)));
  },
  fairness: (settings) => {
    const count = Number(options.shared);
    const links = Array.from({ length: count }, (_, index) => shareLink(settings, firstSeed + index));
    return fairnessSection(summarizeFairness(links), 'simulated');
  },
  real: async (settings) => {
    const opus = await opusPackets(SPEECH, settings.frameMs);
    const runs = Array.from({ length: REAL_SEEDS }, (_, index) =>
      runLinks(settings, opus, { firstSeed: firstSeed + index, seeds: 1 }).links.map(({ shown }) => shown),
    )
      // Those without chance in them are the same for every seed.
      .flatMap((shown, index) =>
        shown.filter(
          ({ trace: { name, lossShare } }) => lossShare === 0 && (index === 0 || name.endsWith('-like')),
        ),
      );
    return realSection(await runRealLinks(runs, settings, REAL_SOURCE));
  },
  'real-fairness': async (settings) => {
    const seeds = Array.from({ length: REAL_SHARES }, (_, index) => firstSeed + index);
    return fairnessSection(summarizeFairness(await runRealShares(seeds, settings, REAL_SOURCE)), 'real TCP');
  },
  'fan-out': async () => {
    const { sampleRate } = manifest;
    const sound = { speech: await readAudio(SPEECH, { sampleRate }), sampleRate };
    const load = { subscribers: Number(options.subscribers), ...FAN_OUT };
    const packed = await measureFanOut(options.model, sound, load, 'packed');
    const coded = await measureFanOut(options.model, sound, load, 'entropy');
    return fanOutSection({ packed, coded });
  },
};

function settingsOf(manifest: Manifest): ControlSettings {
  return {
    minQuantizers: 1,
    maxQuantizers: manifest.quantizers,
    maxFramesPerPacket: Math.floor((LONGEST_PACKET_MS * frameRate(manifest)) / 1000),
    frameMs: 1000 / frameRate(manifest),
    bitsPerCode: bitsPerCode(manifest.codebookSize),
  };
}

const otherLoad = describeOtherLoad();
await mkdir(dirname(options.out), { recursive: true });
const sections: string[] = [];
for (const name of options.parts.split(',')) {
  const part = PARTS[name];
  if (part === undefined) throw new Error(`There is no part "${name}": ${Object.keys(PARTS).join(', ')}`);
  sections.push(await part(settingsOf(manifest)));
}
const report = `# Rate control

- ${describeMachine()}; ${otherLoad}
- \`${describeCommand('bench:bitrate')}\`
- packets of ${manifest.name} ${manifest.version}
- ${new Date().toISOString().slice(0, 10)}

${sections.join('\n')}`;
await writeFile(`${options.out}.md`, report);
console.log(report);
