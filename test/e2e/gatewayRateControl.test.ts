import { encodePcm as pcmBytes, type OpenMessage, type ServerMessageOf } from '../../protocol/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { startGateway } from '../support/testGateway.js';
import { readWavFixture } from '../support/wavFixture.js';

type Open = Omit<OpenMessage, 'type' | 'version'>;

const adaptive: Open = {
  mode: 'encode',
  input: { format: 'pcm_s16le', sampleRate: 24_000 },
  output: { format: 'tokens' },
  bitrate: { control: 'adaptive', minQuantizers: 2 },
};

let gateway: Gateway;
let port: number;
let speech: Uint8Array;

beforeAll(async () => {
  ({ gateway, port } = await startGateway());
  speech = pcmBytes(readWavFixture('speech-de-1.wav').samples, 'pcm_s16le');
});

afterAll(() => gateway.close());

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends so many frames of speech as they are spoken. */
async function speak(client: GatewayClient, frames: number): Promise<void> {
  const startMs = performance.now();
  for (let frame = 0; frame < frames; frame += 1) {
    await sleep(startMs + 20 * frame - performance.now());
    const at = (client.byteOffset % (speech.length - 960)) & ~1;
    client.sendAudio(speech.subarray(at, at + 960));
  }
}

function expectAccounted(client: GatewayClient, frames: number): void {
  let next = 0;
  for (const frame of client.frames) {
    if (frame.kind === 'pcm') throw new Error('No PCM was asked for');
    expect(frame.firstFrameIndex).toBe(next);
    next += frame.frameCount;
  }
  expect(next).toBe(frames);
}

describe('adaptive bitrate', () => {
  test('rises on a fast link, within the range, to many codebooks and short packets', async () => {
    const client = await GatewayClient.open(port, adaptive);
    client.acknowledges = true;
    expect(client.opened).toMatchObject({
      framesPerPacket: 6,
      bitrate: { minQuantizers: 2 },
    });
    const startMs = performance.now();
    // On a machine that does other things, it takes longer to know that the link is fast.
    const isLong = (): boolean => (client.tokens.at(-2)?.frameCount ?? 6) === 6;
    for (let times = 0; times < 8 && isLong(); times += 1) await speak(client, 75);
    const { totals } = await client.flush();
    await client.close();
    expectAccounted(client, totals.frames);
    expect(client.gaps).toEqual([]);
    const [first, last] = [client.tokens[0]!, client.tokens.at(-2)!];
    expect(last.quantizers).toBeGreaterThan(first.quantizers);
    expect(last.frameCount).toBeLessThan(first.frameCount);
    // Each packet says for itself what it has: no messages about it, only about the time of acknowledgements.
    const types = client.messages.map(({ type }) => type);
    expect(types.filter((type) => type !== 'ack_timing')).toEqual(['opened', 'flushed', 'closed']);
    expect(types[1]).toBe('ack_timing');
    const { frameIndex, atMs } = client.messages[1] as ServerMessageOf<'ack_timing'>;
    expect(frameIndex).toBeGreaterThan(0);
    // By this clock, about when that frame was made.
    expect(Math.abs(atMs - (startMs + 20 * frameIndex))).toBeLessThan(1000);
  });

  test('drops with a gap what a stalled receiver has no use for any more, and others lose nothing', async () => {
    const stalled = await GatewayClient.open(port, { ...adaptive, publish: { stream: 'talk' } });
    const other = await GatewayClient.open(port, {
      mode: 'subscribe',
      stream: 'talk',
      output: { format: 'tokens' },
      bitrate: { control: 'adaptive' },
    });
    [stalled.acknowledges, other.acknowledges] = [true, true];
    await speak(stalled, 30);
    // What it gets it does not acknowledge, as if the link stood still.
    stalled.acknowledges = false;
    await speak(stalled, 70);
    const seen = stalled.frames.length;
    const last = stalled.frames.at(-1)!;
    if (last.kind === 'pcm') throw new Error('No PCM was asked for');
    const nextFrameIndex = last.firstFrameIndex + last.frameCount;
    expect(nextFrameIndex).toBeLessThan(80);
    stalled.send({ type: 'ack', nextFrameIndex, bufferMs: 0, arrivalMs: performance.now() });
    stalled.acknowledges = true;
    await speak(stalled, 20);
    const { totals } = await stalled.flush();
    await stalled.close();
    await other.closed;

    expect(stalled.frames[seen]).toMatchObject({
      kind: 'gap',
      reason: 'output_dropped',
      firstFrameIndex: nextFrameIndex,
    });
    expect(totals.gapFrames).toBeGreaterThan(10);
    expectAccounted(stalled, totals.frames);
    expectAccounted(other, totals.frames);
    expect(other.gaps).toEqual([]);
  });

  test('can be turned on and off in the middle, and is refused for audio', async () => {
    const client = await GatewayClient.open(port, { ...adaptive, bitrate: { maxQuantizers: 4 } });
    client.acknowledges = true;
    await speak(client, 10);
    client.send({ type: 'bitrate', bitrate: { maxQuantizers: 4, control: 'adaptive' } });
    await client.waitFor('bitrate');
    await speak(client, 20);
    client.send({ type: 'bitrate', bitrate: { maxQuantizers: 3, control: 'fixed' } });
    const { fromFrameIndex } = await client.waitFor('bitrate');
    await speak(client, 10);
    const { totals } = await client.flush();
    await client.close();
    expectAccounted(client, totals.frames);
    for (const { firstFrameIndex, quantizers, frameCount } of client.tokens) {
      expect(frameCount).toBe(1);
      if (firstFrameIndex >= fromFrameIndex) expect(quantizers).toBe(3);
    }

    const refused = await GatewayClient.connect(port);
    refused.send({
      type: 'open',
      version: 1,
      ...adaptive,
      mode: 'resynth',
      output: { format: 'pcm_s16le' },
    });
    expect(await refused.closed).toEqual({ code: 4403, reason: 'bad_options' });
  });
});
