/**
 * How many live sessions the whole service carries: `npm run bench:load [-- --threads 1] [--seconds 4] [--clients 2]
 * [--provider cpu] [--piece 1] [--late 100] [--first 16] [--out docs/benchmarks/load]`. The gateway runs in a process of its own; real
 * WebSocket clients, in further processes, send real speech in real time and get it back through the tokens. The naive
 * way, one session and one frame a run, is measured in the same call. Then, at what was found: latency at half load,
 * fairness beside clients that burst, memory in longer trials, and overload. A report and charts are written.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { loadManifest } from '../../codec/index.js';
import { lateOption, MODEL_OPTION, PIECE_OPTION, providerOption } from './benchOptions.js';
import { findCapacity, type Capacity } from './capacity.js';
import { drawLoad, writeLoadReport, type LoadFigures } from './loadReport.js';
import { runTrial, type LoadSettings, type LoadTrial } from './loadTrials.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';
import { ServerProcess } from './serverProcess.js';

/** Above any search: what is measured is where frames come late, not where the service refuses. */
const MAX_SESSIONS = '10000';
const BURST_SHARE = 0.2;
/** Trials with and without bursts, in turn: what else the machine does moves single ones by more than bursts do. */
const FAIRNESS_PAIRS = 3;
/** Heaps grow to their size in the first minute: memory is read after so long at half load and again at full load. */
const MEMORY_SECONDS = 20;

const { values: options } = parseArgs({
  options: {
    ...MODEL_OPTION,
    ...PIECE_OPTION,
    threads: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '4' },
    clients: { type: 'string', default: '2' },
    provider: { type: 'string', default: 'cpu' },
    late: { type: 'string' },
    first: { type: 'string', default: '16' },
    out: { type: 'string', default: 'docs/benchmarks/load' },
  },
});

const provider = providerOption(options.provider);
const settings: LoadSettings = {
  model: options.model,
  clients: Number(options.clients),
  framesPerMessage: Number(options.piece),
  durationMs: 1000 * Number(options.seconds),
  lateMs: lateOption(options.late, provider === 'auto' ? 'cpu' : provider),
};

async function withServer<Result>(
  starting: Promise<ServerProcess>,
  use: (server: ServerProcess) => Promise<Result>,
): Promise<Result> {
  const server = await starting;
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

function startServer(...more: string[]): Promise<ServerProcess> {
  const { model, threads } = options;
  return ServerProcess.start(['--model', model, '--provider', provider, '--threads', threads, ...more]);
}

function search(server: ServerProcess, first: number): Promise<Capacity> {
  return findCapacity(first, (sessions) => runTrial(server, settings, sessions));
}

async function measure(): Promise<LoadFigures> {
  const { threads, model } = options;
  const naive = await withServer(
    ServerProcess.startScript('./naiveServer.js', [provider, threads, MAX_SESSIONS, model]),
    (server) => search(server, 4),
  );
  const batched = await withServer(startServer('--max-sessions', MAX_SESSIONS), (server) =>
    search(server, Number(options.first)),
  );
  const half = Math.max(1, Math.floor(batched.sessions / 2));
  const parts = await withServer(startServer('--max-sessions', MAX_SESSIONS), async (server) => {
    const emptyBytes = await server.residentBytes();
    const long = { ...settings, durationMs: 1000 * MEMORY_SECONDS };
    const steady: LoadTrial[] = [];
    const bursting: LoadTrial[] = [];
    for (let pair = 0; pair < FAIRNESS_PAIRS; pair += 1) {
      steady.push(await runTrial(server, settings, half));
      bursting.push(await runTrial(server, settings, half, BURST_SHARE));
    }
    return {
      emptyBytes,
      half: middleTrial(steady),
      fairness: middleTrial(bursting),
      halfMemory: await runTrial(server, long, half),
      fullMemory: await runTrial(server, long, batched.sessions),
    };
  });
  const overload = await withServer(startServer(), (server) =>
    runTrial(server, settings, 2 * batched.sessions),
  );
  return { naive, batched, ...parts, overload };
}

/** That of the middle latency. */
function middleTrial(trials: readonly LoadTrial[]): LoadTrial {
  const sorted = [...trials].sort((one, other) => one.p99Ms - other.p99Ms);
  return sorted[Math.floor(sorted.length / 2)]!;
}

const otherLoad = describeOtherLoad();
const manifest = await loadManifest(options.model);
const figures = await measure();
const report = writeLoadReport(figures, {
  heading: [
    `${describeMachine()}; ${otherLoad}`,
    `\`${describeCommand('bench:load')}\``,
    `${manifest.name} ${manifest.version}, provider ${provider}, ${options.threads} inference thread(s), ${options.clients} client processes on the same machine, ${options.piece} frame(s) a message`,
    new Date().toISOString().slice(0, 10),
  ],
  chart: `${basename(options.out)}.svg`,
  lateMs: settings.lateMs,
  seconds: Number(options.seconds),
  memorySeconds: MEMORY_SECONDS,
});
await mkdir(dirname(options.out), { recursive: true });
await writeFile(`${options.out}.md`, report);
await writeFile(`${options.out}.svg`, drawLoad(figures, settings.lateMs));
console.log(report);
