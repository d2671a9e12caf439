import { ServerProcess } from '../serverProcess.js';
import { publishing, RateClient } from './rateClient.js';

/** What subscribers cost the server. */
export interface FanOutFigures {
  readonly subscribers: number;
  /** Frames that the publisher sent, and frames that went through the encoder meanwhile. */
  readonly publishedFrames: number;
  readonly encodedFrames: number;
  /** Frames that the subscribers got, of those that they should have got. */
  readonly deliveredShare: number;
  /** That each subscriber got: what it costs follows them, and the link and the load decide how many there are. */
  readonly packetsPerSecond: number;
  /** CPU seconds a second, of one core: the publisher alone, with all, and what each subscriber adds. */
  readonly aloneShare: number;
  readonly allShare: number;
  readonly eachShare: number;
}

const STREAM = 'bench';
/** What was sent so long ago has come. */
const DRAIN_MS = 1000;

/**
 * One publisher alone, then with so many subscribers over real sockets, each under rate control and with another most number
 * of codebooks; `speech` is mono at the model's rate.
 */
export async function measureFanOut(
  model: string,
  { speech, sampleRate }: { readonly speech: Float32Array; readonly sampleRate: number },
  load: { readonly subscribers: number; readonly warmUpMs: number; readonly durationMs: number },
  coding: 'packed' | 'entropy',
): Promise<FanOutFigures> {
  const { subscribers, warmUpMs, durationMs } = load;
  const maxSessions = String(subscribers + 1);
  const server = await ServerProcess.start(['--model', model, '--max-sessions', maxSessions]);
  const clients: RateClient[] = [];
  try {
    const publisher = await RateClient.open(server.url, publishing(STREAM, sampleRate));
    clients.push(publisher);
    await publisher.speak(speech, warmUpMs);
    const alone = await measure(server, publisher, speech, durationMs);
    const { quantizers } = publisher.opened.model;
    const listeners: RateClient[] = [];
    for (let index = 0; index < subscribers; index += 1) {
      const listener = await RateClient.open(server.url, {
        mode: 'subscribe',
        stream: STREAM,
        output: { format: 'tokens', coding },
        bitrate: { control: 'adaptive', maxQuantizers: 1 + (index % quantizers) },
      });
      listeners.push(listener);
      clients.push(listener);
    }
    await publisher.speak(speech, warmUpMs);
    const all = await measure(server, publisher, speech, durationMs);
    const endFrame = all.firstFrame + all.frames;
    const delivered = listeners.flatMap(({ packets }) =>
      packets.filter(
        ({ quantizers: depth, firstFrameIndex }) =>
          depth > 0 && firstFrameIndex >= all.firstFrame && firstFrameIndex < endFrame,
      ),
    );
    return {
      subscribers,
      publishedFrames: all.frames,
      encodedFrames: all.encodedFrames,
      deliveredShare:
        delivered.reduce((total, { frameCount }) => total + frameCount, 0) / (all.frames * subscribers),
      packetsPerSecond: delivered.length / (subscribers * all.seconds),
      aloneShare: alone.share,
      allShare: all.share,
      eachShare: (all.share - alone.share) / subscribers,
    };
  } finally {
    for (const client of clients) client.terminate();
    await server.stop();
  }
}

async function measure(
  server: ServerProcess,
  publisher: RateClient,
  speech: Float32Array,
  durationMs: number,
): Promise<{
  readonly firstFrame: number;
  readonly frames: number;
  readonly encodedFrames: number;
  readonly seconds: number;
  readonly share: number;
}> {
  const drained = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
  await drained();
  const before = await server.metrics();
  const firstFrame = publisher.sentMs.length;
  const startMs = performance.now();
  await publisher.speak(speech, durationMs);
  const seconds = (performance.now() - startMs) / 1000;
  const after = await server.metrics();
  await drained();
  const atEnd = await server.metrics();
  const grew = (name: string, now: ReadonlyMap<string, number>): number =>
    (now.get(name) ?? 0) - (before.get(name) ?? 0);
  return {
    firstFrame,
    frames: publisher.sentMs.length - firstFrame,
    encodedFrames: grew('tessera_output_frames_total{mode="encode"}', atEnd),
    seconds,
    share: grew('process_cpu_seconds_total', after) / seconds,
  };
}
