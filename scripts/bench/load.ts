/**
 * How many live sessions the whole service carries: `npm run bench:load [-- --threads 1] [--seconds 5] [--clients 2]
 * [--provider cpu] [--out docs/benchmarks/load]`. The gateway runs in a process of its own; real WebSocket clients, in
 * further processes, send real speech in real time and get it back through the tokens. The naive way, one session and
 * one frame a run, is measured in the same call. A report and a chart are written beside the table.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadManifest } from '../../codec/index.js';
import { MODEL_OPTION, providerOption } from './benchOptions.js';
import {
  findCapacity,
  IN_TIME_SHARE,
  LATE_MS,
  summarizeTrial,
  trialTable,
  type Capacity,
  type Trial,
} from './capacity.js';
import { drawCharts, type ChartLine } from './lineChart.js';
import type { LoadReport, LoadRequest } from './loadClient.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';
import { ServerProcess } from './serverProcess.js';

const CLIENT = fileURLToPath(new URL('./loadClient.js', import.meta.url));
const WARM_UP_MS = 1000;
/** Above any search: what is measured is where frames come late, not where the service refuses. */
const MAX_SESSIONS = '10000';
const CHART_LATENCY_MS = 200;

const { values: options } = parseArgs({
  options: {
    ...MODEL_OPTION,
    threads: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '2' },
    provider: { type: 'string', default: 'cpu' },
    out: { type: 'string', default: 'docs/benchmarks/load' },
  },
});

async function runClient(request: LoadRequest): Promise<LoadReport> {
  const client = fork(CLIENT);
  try {
    client.send(request);
    const [report] = (await Promise.race([
      once(client, 'message'),
      once(client, 'exit').then(() => Promise.reject(new Error('A client ended before it reported'))),
    ])) as [LoadReport];
    return report;
  } finally {
    client.kill();
  }
}

/** Splits the sessions among the client processes and joins what they saw. */
async function tryOut(url: string, sessions: number): Promise<Trial> {
  const clients = Math.min(sessions, Number(options.clients));
  const reports = await Promise.all(
    Array.from({ length: clients }, (_, index) =>
      runClient({
        url,
        model: options.model,
        sessions: Math.floor((sessions + index) / clients),
        warmUpMs: WARM_UP_MS,
        durationMs: 1000 * Number(options.seconds),
      }),
    ),
  );
  const frames = reports.reduce((total, report) => total + report.frames, 0);
  return summarizeTrial(
    sessions,
    frames,
    reports.flatMap(({ latenciesMs }) => latenciesMs),
  );
}

async function measure(starting: Promise<ServerProcess>, first: number): Promise<Capacity> {
  const server = await starting;
  try {
    return await findCapacity(first, (sessions) => tryOut(server.url, sessions));
  } finally {
    await server.stop();
  }
}

function lines(naive: Capacity, batched: Capacity, valueOf: (trial: Trial) => number): ChartLine[] {
  return [
    { name: 'naive', points: naive.trials.map((trial) => ({ x: trial.sessions, y: valueOf(trial) })) },
    { name: 'Tessera', points: batched.trials.map((trial) => ({ x: trial.sessions, y: valueOf(trial) })) },
  ];
}

function chart(naive: Capacity, batched: Capacity): string {
  const median = lines(naive, batched, ({ medianMs }) => medianMs);
  const p99 = lines(naive, batched, ({ p99Ms }) => p99Ms);
  const latencies = [0, 1].flatMap((at) => [
    { name: `${p99[at]?.name ?? ''}, 99%`, points: p99[at]?.points ?? [] },
    { name: `${median[at]?.name ?? ''}, median`, points: median[at]?.points ?? [] },
  ]);
  const xLabel = 'sessions, full duplex';
  return drawCharts([
    {
      title: `Frames late (over ${LATE_MS} ms) or lost`,
      xLabel,
      yLabel: '% of frames',
      yMax: 10,
      lines: lines(naive, batched, ({ lateShare }) => 100 * lateShare),
    },
    {
      title: 'Latency of a frame, without the algorithmic delay',
      xLabel,
      yLabel: 'ms',
      yMax: CHART_LATENCY_MS,
      lines: latencies,
    },
  ]);
}

async function main(): Promise<void> {
  const otherLoad = describeOtherLoad();
  const provider = providerOption(options.provider);
  const { threads } = options;
  const manifest = await loadManifest(options.model);
  const naive = await measure(
    ServerProcess.startScript('./naiveServer.js', [provider, threads, MAX_SESSIONS, options.model]),
    4,
  );
  const batched = await measure(
    ServerProcess.start([
      '--model',
      options.model,
      '--provider',
      provider,
      '--threads',
      threads,
      '--max-sessions',
      MAX_SESSIONS,
    ]),
    16,
  );
  const report = `# Load: the whole service over real sockets

- ${describeMachine()}; ${otherLoad}
- \`${describeCommand('bench:load')}\`
- ${manifest.name} ${manifest.version}, provider ${provider}, ${threads} inference thread(s), ${options.clients} client processes on the same machine
- ${new Date().toISOString().slice(0, 10)}

Sessions are full duplex: speech goes in, 20 ms of it each 20 ms, and comes back through the tokens. A number of
sessions is served when ${100 * IN_TIME_SHARE}% of the frames come back within ${LATE_MS} ms and none is lost.

| | sessions served |
|---|---|
| naive: one session, one frame a run | ${naive.sessions} |
| Tessera | ${batched.sessions} |
| ratio | ${(batched.sessions / naive.sessions).toFixed(1)} |

![Frames late and latency against sessions](${basename(options.out)}.svg)

## Tessera

${trialTable(batched.trials)}

## Naive

${trialTable(naive.trials)}
`;
  await mkdir(dirname(options.out), { recursive: true });
  await writeFile(`${options.out}.md`, report);
  await writeFile(`${options.out}.svg`, chart(naive, batched));
  console.log(report);
}

await main();
