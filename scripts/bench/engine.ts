/**
 * How many live sessions the engine carries, without sockets:
 * `npm run bench:engine [-- --provider cpu] [--threads 1] [--batch 32] [--frames 4] [--piece 1] [--late 100] [--first 16] [--seconds 4]`.
 * Each session is full duplex (speech to tokens and back) and gets real speech in real time, `--piece` frames at once.
 * The naive way, one session and one frame a run, is measured in the same call. On a GPU: `--provider cuda --first 500`.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BroadcastChannel } from 'node:worker_threads';
import { readAudio } from '../../codec/index.js';
import { Engine, type EngineOptions } from '../../services/engine/index.js';
import { lateOption, MODEL_OPTION, PIECE_OPTION, providerOption } from './benchOptions.js';
import { findCapacity, ratio, summarizeTrial, trialTable, type Capacity, type Trial } from './capacity.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';
import { MEMORY_CHANNEL, type WorkerMemory } from './workerMemory.js';

const SPEECH = fileURLToPath(new URL('../../../test/fixtures/speech-en-1.wav', import.meta.url));
/** What is not there so long after the last frame is lost. */
const DRAIN_MS = 2000;
/** Until a worker has told how its memory is. */
const SETTLE_MS = 1000;
/** Enough for what a session takes to show. */
const MANY_SESSIONS = 256;
/** Caches and the worker's compiler warm up before frames count. */
const WARM_UP_MS = 500;

const { values: options } = parseArgs({
  options: {
    ...MODEL_OPTION,
    ...PIECE_OPTION,
    threads: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '4' },
    provider: { type: 'string', default: 'cpu' },
    batch: { type: 'string' },
    frames: { type: 'string' },
    late: { type: 'string' },
    first: { type: 'string', default: '16' },
  },
});

/** One session's place in a trial. */
interface Feed {
  readonly push: (samples: Float32Array) => Promise<void>;
  readonly close: () => void;
  /** When its first piece is due, in milliseconds after the trial's start. */
  readonly phaseMs: number;
  sent: number;
}

/** Feeds so many sessions for a time. Pieces are due by the clock, spread evenly over a piece's time. */
async function tryOut(engine: Engine, speech: Float32Array, count: number): Promise<Trial> {
  const { hop, frameRate } = engine.model.summary;
  const framesPerPiece = Number(options.piece);
  const pieceMs = (1000 * framesPerPiece) / frameRate;
  const pieceSamples = hop * framesPerPiece;
  const pieces = Math.floor(speech.length / pieceSamples);
  const durationMs = WARM_UP_MS + 1000 * Number(options.seconds);
  const latenciesMs: number[] = [];
  let startMs = 0;
  let received = 0;
  const feeds = await Promise.all(
    Array.from({ length: count }, async (_, index): Promise<Feed> => {
      const phaseMs = (index * pieceMs) / count;
      const session = await engine.openSession({
        mode: 'resynth',
        onResult: (result) => {
          if (result.kind === 'failed') throw result.error;
          if (result.kind !== 'pcm') return;
          const nowMs = performance.now();
          received += result.frameCount;
          for (let at = 0; at < result.frameCount; at += 1) {
            const dueMs = phaseMs + Math.floor((result.firstFrameIndex + at) / framesPerPiece) * pieceMs;
            if (dueMs >= WARM_UP_MS) latenciesMs.push(nowMs - startMs - dueMs);
          }
        },
      });
      return { push: (samples) => session.pushPcm(samples), close: () => session.close(), phaseMs, sent: 0 };
    }),
  );
  startMs = performance.now();
  let sent = 0;
  let counted = 0;
  for (let nowMs = 0; nowMs < durationMs; nowMs = performance.now() - startMs) {
    for (const [index, feed] of feeds.entries()) {
      for (; feed.phaseMs + feed.sent * pieceMs <= nowMs; feed.sent += 1) {
        // Sessions are at different places of the recording, as people are.
        const from = ((feed.sent + 7 * index) % pieces) * pieceSamples;
        // One that is refused is lost, and seen as that.
        feed.push(speech.slice(from, from + pieceSamples)).catch(() => undefined);
        sent += framesPerPiece;
        if (feed.phaseMs + feed.sent * pieceMs >= WARM_UP_MS) counted += framesPerPiece;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const drainEndMs = performance.now() + DRAIN_MS;
  while (received < sent && performance.now() < drainEndMs)
    await new Promise((resolve) => setTimeout(resolve, 10));
  for (const feed of feeds) feed.close();
  return summarizeTrial(count, counted, latenciesMs, lateOption(options.late, engine.model.provider));
}

async function measure(speech: Float32Array, engineOptions: EngineOptions, first: number): Promise<Capacity> {
  const engine = await Engine.start({
    model: options.model,
    provider: providerOption(options.provider),
    threads: Number(options.threads),
    admitsAll: true,
    ...engineOptions,
  });
  try {
    return await findCapacity(first, (sessions) => tryOut(engine, speech, sessions));
  } finally {
    await engine.close();
  }
}

/** What a worker makes and holds: garbage a frame at half load, and memory a session. */
async function reportMemory(speech: Float32Array, half: number): Promise<void> {
  const channel = new BroadcastChannel(MEMORY_CHANNEL);
  let latest: WorkerMemory = { allocatedBytes: 0, usedBytes: 0 };
  channel.onmessage = (event) => (latest = (event as { data: WorkerMemory }).data);
  const settled = async (): Promise<WorkerMemory> => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return latest;
  };
  const engine = await Engine.start({
    model: options.model,
    provider: providerOption(options.provider),
    threads: 1,
    admitsAll: true,
    workerUrl: new URL('./measuredWorker.js', import.meta.url),
  });
  try {
    // The first trial makes what stays.
    await tryOut(engine, speech, half);
    const before = await settled();
    const idle = await settled();
    await tryOut(engine, speech, half);
    const after = await settled();
    const seconds = Number(options.seconds) + WARM_UP_MS / 1000;
    const frames = half * seconds * engine.model.summary.frameRate;
    // What the worker makes without work, its own measuring above all, is not the sessions'.
    const idleBytes = idle.allocatedBytes - before.allocatedBytes;
    const madeBytes =
      after.allocatedBytes - idle.allocatedBytes - idleBytes * ((1000 * seconds) / SETTLE_MS + 1);
    const opened = [];
    for (let count = 0; count < MANY_SESSIONS; count += 1) {
      opened.push(await engine.openSession({ mode: 'resynth', onResult: () => undefined }));
    }
    await Promise.all(opened.map((session) => session.pushPcm(speech.slice(0, engine.model.summary.hop))));
    const full = await settled();
    console.log('| worker | |\n|---|---|');
    console.log(
      `| objects made a frame of a session | ${Math.round(Math.max(0, madeBytes) / frames)} bytes |`,
    );
    const perSession = (full.usedBytes - after.usedBytes) / MANY_SESSIONS / 1024;
    console.log(`| memory a session, of ${MANY_SESSIONS} | ${perSession.toFixed(0)} KiB |`);
  } finally {
    channel.close();
    await engine.close();
  }
}

async function main(): Promise<void> {
  const engine = await Engine.start({
    model: options.model,
    provider: providerOption(options.provider),
    threads: 1,
  });
  const { summary, provider } = engine.model;
  await engine.close();
  const speech = await readAudio(SPEECH, { sampleRate: summary.sampleRate });
  console.log(`${describeMachine()}; ${describeOtherLoad()}\n${describeCommand('bench:engine')}`);
  console.log(
    `${summary.name} ${summary.version}, provider ${provider}, ${options.threads} inference thread(s)`,
  );
  const lateMs = lateOption(options.late, provider);
  console.log(
    `In time: within ${lateMs} ms of the last sample that comes with the frame (${options.piece} at once).\n`,
  );
  const naive = await measure(speech, { maxBatch: 1, maxFramesPerRun: 1 }, 4);
  console.log(`Naive: one session, one frame a run\n\n${trialTable(naive.trials)}\n`);
  const bounds = {
    ...(options.batch === undefined ? {} : { maxBatch: Number(options.batch) }),
    ...(options.frames === undefined ? {} : { maxFramesPerRun: Number(options.frames) }),
  };
  const batched = await measure(speech, bounds, Number(options.first));
  console.log(`The engine\n\n${trialTable(batched.trials)}\n`);
  console.log('| | sessions, full duplex |\n|---|---|');
  console.log(`| naive | ${naive.sessions} |\n| engine | ${batched.sessions} |`);
  console.log(`| ratio | ${ratio(batched, naive)} |\n`);
  await reportMemory(speech, Math.max(1, Math.floor(batched.sessions / 2)));
}

await main();
