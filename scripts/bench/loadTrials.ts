import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { summarizeTrial, type Trial } from './capacity.js';
import type { LoadReport, LoadRequest } from './loadClient.js';
import type { ServerProcess } from './serverProcess.js';

const CLIENT = fileURLToPath(new URL('./loadClient.js', import.meta.url));
const WARM_UP_MS = 1000;
const BURST_SPEED = 10;

/** How the clients of a trial are run. */
export interface LoadSettings {
  readonly model: string;
  /** Client processes. */
  readonly clients: number;
  /** Frames in a message, each way. */
  readonly framesPerMessage: number;
  readonly durationMs: number;
  /** A frame is late after so long. */
  readonly lateMs: number;
}

/** A trial, with what more is known of it. */
export interface LoadTrial extends Trial {
  /** Sessions that were told `at_capacity`. */
  readonly refused: number;
  /** Of the server while the sessions were live: after the warm-up and at the end. */
  readonly residentBytes: readonly [number, number];
}

/**
 * Runs so many sessions against a server, split among client processes; a share of them bursts, in processes of their own. The
 * figures are those of the others.
 */
export async function runTrial(
  server: ServerProcess,
  settings: LoadSettings,
  sessions: number,
  burstShare = 0,
): Promise<LoadTrial> {
  const { model, clients, framesPerMessage, durationMs, lateMs } = settings;
  const bursting = Math.round(sessions * burstShare);
  const run = (count: number, speed: number): Promise<LoadReport> =>
    runClient({
      url: server.url,
      model,
      sessions: count,
      speed,
      framesPerMessage,
      warmUpMs: WARM_UP_MS,
      durationMs,
    });
  // What it costs a client to burst is not to slow the others.
  const bursts = split(bursting, clients).map((count) => run(count, BURST_SPEED));
  const running = Promise.all(split(sessions - bursting, clients).map((count) => run(count, 1)));
  // Nobody waits for it where a client fails.
  const memory = watchMemory(server, running);
  const [reports] = await Promise.all([running, ...bursts]);
  const frames = reports.reduce((total, report) => total + report.frames, 0);
  const latenciesMs = reports.flatMap((report) => report.latenciesMs);
  return {
    ...summarizeTrial(sessions, frames, latenciesMs, lateMs),
    refused: reports.reduce((total, { refused }) => total + refused, 0),
    residentBytes: await memory,
  };
}

/** In parts as equal as can be, without those that are 0. */
function split(count: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, index) => Math.floor((count + index) / parts)).filter(Boolean);
}

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

/** Reads the server's memory each half second; the first of the later half, and the last, before the sessions end. */
async function watchMemory(server: ServerProcess, running: Promise<unknown>): Promise<[number, number]> {
  const ended = running.then(
    () => true,
    () => true,
  );
  const pause = (): Promise<boolean> => new Promise((resolve) => setTimeout(resolve, 500, false));
  const samples: number[] = [];
  do samples.push(await server.residentBytes());
  while (!(await Promise.race([ended, pause()])));
  // The last is taken while sessions close.
  const live = samples.slice(0, -1);
  return [live[Math.floor(live.length / 2)] ?? NaN, live.at(-1) ?? NaN];
}
