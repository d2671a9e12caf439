/** One client process of `bench:load`: opens its share of the sessions, streams, and reports. */
import { fileURLToPath } from 'node:url';
import { TesseraError } from '../../protocol/index.js';
import { loadManifest, readAudio } from '../../codec/index.js';
import { LiveSession } from './liveSession.js';

/** What a client process is asked for. */
export interface LoadRequest {
  readonly url: string;
  /** Name or folder of the model that is served. */
  readonly model: string;
  readonly sessions: number;
  /** How many times faster than real time they send. */
  readonly speed: number;
  /** Frames in a message, each way. */
  readonly framesPerMessage: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
}

/** What it answers. */
export interface LoadReport {
  /** Frames sent after the warm-up. */
  readonly frames: number;
  /** Of those that came. */
  readonly latenciesMs: readonly number[];
  /** Sessions that were told `at_capacity`. */
  readonly refused: number;
}

const SPEECH = fileURLToPath(new URL('../../../test/fixtures/speech-en-1.wav', import.meta.url));
/** What is not there so long after the last frame is lost. */
const DRAIN_MS = 2000;

async function run(request: LoadRequest): Promise<LoadReport> {
  const { sampleRate, hop } = await loadManifest(request.model);
  const speech = await readAudio(SPEECH, { sampleRate });
  const { url, speed, framesPerMessage, warmUpMs, durationMs } = request;
  const messageMs = (1000 * hop * framesPerMessage) / sampleRate;
  const sessions: LiveSession[] = [];
  let refused = 0;
  for (let count = request.sessions; count > 0; count -= 1) {
    try {
      sessions.push(await LiveSession.open(url, 'resynth', speech, sampleRate, framesPerMessage));
    } catch (error) {
      if (!(error instanceof TesseraError) || error.code !== 'at_capacity') throw error;
      refused += 1;
    }
  }
  const streams = sessions.map(async (session, index) => {
    // Spread evenly over a message's time.
    await new Promise((resolve) => setTimeout(resolve, (messageMs * index) / sessions.length));
    await session.stream(warmUpMs + durationMs, speed);
  });
  await Promise.all(streams);
  const drainEndMs = performance.now() + DRAIN_MS;
  const isComplete = (session: LiveSession): boolean => session.latenciesMs.length === session.sentMs.length;
  while (!sessions.every(isComplete) && performance.now() < drainEndMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const reports = sessions.map((session) => countedFrames(session, warmUpMs));
  await Promise.all(sessions.map((session) => session.abandon()));
  return {
    frames: reports.reduce((total, { frames }) => total + frames, 0),
    latenciesMs: reports.flatMap(({ latenciesMs }) => latenciesMs),
    refused,
  };
}

function countedFrames({ sentMs, receivedMs }: LiveSession, warmUpMs: number): Omit<LoadReport, 'refused'> {
  const fromMs = (sentMs[0] ?? 0) + warmUpMs;
  const latenciesMs: number[] = [];
  let frames = 0;
  sentMs.forEach((sent, frame) => {
    if (sent < fromMs) return;
    frames += 1;
    const received = receivedMs[frame];
    if (received !== undefined) latenciesMs.push(received - sent);
  });
  return { frames, latenciesMs };
}

process.on('message', (request: LoadRequest) => {
  void run(request).then((report) => process.send?.(report));
});
