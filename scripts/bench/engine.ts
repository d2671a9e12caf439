/**
 * How many live sessions the engine carries, without sockets:
 * `npm run bench:engine [-- --threads 1] [--seconds 4] [--provider cpu]`. Each session is full duplex (speech to tokens
 * and back) and gets one frame of real speech in each frame of real time. The naive way, one session and one frame a
 * run, is measured in the same call.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readAudio } from '../../codec/index.js';
import { Engine, type EngineOptions } from '../../services/engine/index.js';
import { MODEL_OPTION, providerOption } from './benchOptions.js';
import { findCapacity, LATE_MS, summarizeTrial, trialTable, type Capacity, type Trial } from './capacity.js';
import { describeCommand, describeMachine, describeOtherLoad } from './machine.js';

const SPEECH = fileURLToPath(new URL('../../../test/fixtures/speech-en-1.wav', import.meta.url));
/** What is not there so long after the last frame is lost. */
const DRAIN_MS = 2000;
/** Caches and the worker's compiler warm up before frames count. */
const WARM_UP_MS = 500;

const { values: options } = parseArgs({
  options: {
    ...MODEL_OPTION,
    threads: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '4' },
    provider: { type: 'string', default: 'cpu' },
  },
});

/** One session's place in a trial. */
interface Feed {
  readonly push: (samples: Float32Array) => Promise<void>;
  readonly close: () => void;
  /** When its first frame is due, in milliseconds after the trial's start. */
  readonly phaseMs: number;
  sent: number;
}

/** Feeds so many sessions for a time. Frames are due by the clock, spread evenly over a frame's time. */
async function tryOut(engine: Engine, speech: Float32Array, count: number): Promise<Trial> {
  const { hop, frameRate } = engine.model.summary;
  const frameMs = 1000 / frameRate;
  const pieces = Math.floor(speech.length / hop);
  const durationMs = WARM_UP_MS + 1000 * Number(options.seconds);
  const latenciesMs: number[] = [];
  let startMs = 0;
  let received = 0;
  const feeds = await Promise.all(
    Array.from({ length: count }, async (_, index): Promise<Feed> => {
      const phaseMs = (index * frameMs) / count;
      const session = await engine.openSession({
        mode: 'resynth',
        onResult: (result) => {
          if (result.kind === 'failed') throw result.error;
          if (result.kind !== 'pcm') return;
          const nowMs = performance.now();
          received += result.frameCount;
          for (let at = 0; at < result.frameCount; at += 1) {
            const dueMs = phaseMs + (result.firstFrameIndex + at) * frameMs;
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
      for (; feed.phaseMs + feed.sent * frameMs <= nowMs; feed.sent += 1) {
        // Sessions are at different places of the recording, as people are.
        const from = ((feed.sent + 7 * index) % pieces) * hop;
        // One that is refused is lost, and seen as that.
        feed.push(speech.slice(from, from + hop)).catch(() => undefined);
        sent += 1;
        if (feed.phaseMs + feed.sent * frameMs >= WARM_UP_MS) counted += 1;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const drainEndMs = performance.now() + DRAIN_MS;
  while (received < sent && performance.now() < drainEndMs)
    await new Promise((resolve) => setTimeout(resolve, 10));
  for (const feed of feeds) feed.close();
  return summarizeTrial(count, counted, latenciesMs);
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
  console.log(`In time: within ${LATE_MS} ms of the frame's last sample.\n`);
  const naive = await measure(speech, { maxBatch: 1, maxFramesPerRun: 1 }, 4);
  console.log(`Naive: one session, one frame a run\n\n${trialTable(naive.trials)}\n`);
  const batched = await measure(speech, {}, 16);
  console.log(`The engine\n\n${trialTable(batched.trials)}\n`);
  console.log('| | sessions, full duplex |\n|---|---|');
  console.log(`| naive | ${naive.sessions} |\n| engine | ${batched.sessions} |`);
  console.log(`| ratio | ${(batched.sessions / naive.sessions).toFixed(1)} |`);
}

await main();
