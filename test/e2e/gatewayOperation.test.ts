import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel } from 'node:worker_threads';
import { encodePcm as pcmBytes, type OpenMessage } from '../../protocol/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { CRASH_CHANNEL } from '../support/crashChannel.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { httpGet, prometheusSamples } from '../support/http.js';
import { startGateway } from '../support/testGateway.js';
import { readWavFixture } from '../support/wavFixture.js';

type Open = Omit<OpenMessage, 'type' | 'version'>;

const encode: Open = {
  mode: 'encode',
  input: { format: 'pcm_s16le', sampleRate: 24_000 },
  output: { format: 'tokens' },
};
const resynth: Open = { ...encode, mode: 'resynth', output: { format: 'pcm_s16le' } };
const speech = pcmBytes(readWavFixture('speech-it-1.wav').samples, 'pcm_s16le');

describe('a connection', () => {
  test('is asked whether it is there only while it says nothing, and cut off when it does not answer', async () => {
    const { gateway, port } = await startGateway({ pingIntervalMs: 100 });
    const [speaking, silent, gone] = await Promise.all([
      GatewayClient.open(port, encode),
      GatewayClient.open(port, encode),
      GatewayClient.open(port, encode),
    ]);
    gone.socket.pause();
    const pings = { speaking: 0, silent: 0 };
    speaking.socket.on('ping', () => (pings.speaking += 1));
    silent.socket.on('ping', () => (pings.silent += 1));
    const speak = setInterval(() => speaking.send({ type: 'ack', nextFrameIndex: 0, bufferMs: 0 }), 20);
    while (pings.silent < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    clearInterval(speak);
    expect(pings.speaking).toBe(0);
    gone.socket.resume();
    await expect(gone.closed).resolves.toMatchObject({ code: 1006 });
    await Promise.all([speaking.close(), silent.close()]);
    await gateway.close();
  });
});

describe('HTTP', () => {
  let gateway: Gateway;
  let port: number;

  beforeAll(async () => {
    ({ gateway, port } = await startGateway());
  });

  afterAll(() => gateway.close());

  test('/healthz tells what runs, /readyz that it takes sessions', async () => {
    const client = await GatewayClient.open(port, encode);
    const { status, type, text } = await httpGet(port, '/healthz');
    expect({ status, type }).toEqual({ status: 200, type: 'application/json; charset=utf-8' });
    const { name, version, digest } = client.opened.model;
    expect(JSON.parse(text)).toEqual({
      status: 'ok',
      version: 'test',
      model: `${name} ${version}`,
      modelDigest: digest,
      provider: 'cpu',
      sessions: 1,
      uptimeSeconds: expect.any(Number),
    });
    expect(await httpGet(port, '/readyz')).toMatchObject({ status: 200, text: '{"status":"ready"}' });
    await client.close();
  });

  test('/metrics counts sessions, frames, runs, drops and errors', async () => {
    const before = prometheusSamples((await httpGet(port, '/metrics')).text);
    const since = (after: Map<string, number>, name: string): number =>
      (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const client = await GatewayClient.open(port, resynth);
    client.sendAudio(speech.subarray(0, 48_000), 960);
    const { totals } = await client.flush();
    const wrong = await GatewayClient.connect(port);
    wrong.socket.send('{}');
    await wrong.closed;

    const { status, type, text } = await httpGet(port, '/metrics');
    expect({ status, type }).toMatchObject({ status: 200, type: expect.stringContaining('text/plain') });
    const after = prometheusSamples(text);
    expect(after.get('tessera_sessions{mode="resynth",state="attached"}')).toBe(1);
    expect(since(after, 'tessera_sessions_opened_total{mode="resynth"}')).toBe(1);
    expect(since(after, 'tessera_input_samples_total{mode="resynth"}')).toBe(24_000);
    expect(since(after, 'tessera_output_frames_total{mode="resynth"}')).toBe(totals.frames);
    expect(since(after, 'tessera_errors_total{code="bad_message"}')).toBe(1);
    expect(after.get('tessera_run_seconds_count{graph="encoder"}')).toBeGreaterThan(0);
    expect(after.get('tessera_run_seconds_count{graph="decoder"}')).toBeGreaterThan(0);
    expect(after.get('tessera_queued_frames')).toBe(0);
    expect(after.get('tessera_dropped_frames_total')).toBe(0);
    expect(after.get('tessera_ready')).toBe(1);
    expect(after.get('process_resident_memory_bytes')).toBeGreaterThan(1e7);
    expect(after.has('nodejs_eventloop_lag_seconds')).toBe(true);
    // Around the frame's 20 to 80 ms.
    for (const edge of ['0.02', '0.04', '0.06', '0.08']) {
      expect(after.has(`tessera_run_seconds_bucket{le="${edge}",graph="encoder"}`)).toBe(true);
    }
    await client.close();
  });

  test('an unknown path is a 404 in JSON', async () => {
    const { status, type, text } = await httpGet(port, '/admin?x=1');
    expect({ status, type }).toEqual({ status: 404, type: 'application/json; charset=utf-8' });
    expect(JSON.parse(text)).toMatchObject({ code: 'not_found', message: 'There is nothing at /admin' });
  });

  test('it listens on this machine only, unless told otherwise', () => {
    expect(gateway.address).toMatchObject({ address: '127.0.0.1', port });
  });
});

describe('stopping', () => {
  test('sessions are told, get what they had sent, and are closed with going_away', async () => {
    const { gateway, port } = await startGateway();
    const clients = await Promise.all([encode, resynth].map((open) => GatewayClient.open(port, open)));
    const waiting = await GatewayClient.connect(port);
    for (const client of clients) client.sendAudio(speech, 960);
    // The frames that have been taken must come; the last of them is under way here.
    await Promise.all(clients.map((client) => client.until(() => client.frames.length > 3)));
    const closing = gateway.close({ deadlineMs: 20_000 });
    expect(gateway.close()).toBe(closing);

    for (const client of clients) {
      const { code, deadlineMs } = await client.waitFor('closing');
      expect({ code, deadlineMs }).toEqual({ code: 'going_away', deadlineMs: 18_000 });
      const { totals } = await client.waitFor('closed');
      expect(await client.closed).toEqual({ code: 4431, reason: 'going_away' });
      const { hop, decoderDelaySamples } = client.opened.model;
      expect(totals.samples).toBe(Math.floor(totals.inputBytes / 2));
      expect(totals.frames).toBe(Math.ceil((totals.samples + decoderDelaySamples) / hop));
      const last = client.frames.at(-1);
      if (last?.kind === 'tokens') expect(last.firstFrameIndex + last.frameCount).toBe(totals.frames);
      if (last?.kind === 'pcm') expect(last.firstSampleIndex + last.payload.length / 2).toBe(totals.samples);
      expect(client.messages.at(-1)?.type).toBe('closed');
    }
    await expect(waiting.closed).resolves.toEqual({ code: 4431, reason: 'going_away' });
    await closing;
    await expect(httpGet(port, '/healthz')).rejects.toThrow('ECONNREFUSED');
  });

  test('one that does not read is cut off at the deadline', async () => {
    const { gateway, port } = await startGateway();
    const client = await GatewayClient.open(port, resynth);
    client.sendAudio(speech, 960);
    client.socket.pause();
    await gateway.close({ deadlineMs: 200 });
    client.socket.resume();
    await client.closed;
  });

  test('sessions that wait for their client are let go', async () => {
    const { gateway, port } = await startGateway();
    const client = await GatewayClient.open(port, encode);
    client.socket.terminate();
    await client.closed;
    await gateway.close();
    expect([...gateway.sessions]).toEqual([]);
  });
});

describe('a crash of the worker', () => {
  test('ends its sessions with internal; the gateway is not ready, then serves again', async () => {
    const { gateway, port } = await startGateway({}, new URL('../support/failingWorker.js', import.meta.url));
    const clients = await Promise.all([encode, resynth].map((open) => GatewayClient.open(port, open)));
    for (const client of clients) client.sendAudio(speech, 960);
    const channel = new BroadcastChannel(CRASH_CHANNEL);
    channel.postMessage('now');
    for (const client of clients) {
      await expect(client.closed).resolves.toEqual({ code: 4500, reason: 'internal' });
      expect(client.messages.at(-1)).toMatchObject({ type: 'error', code: 'internal', retryable: true });
    }
    expect(await httpGet(port, '/readyz')).toMatchObject({
      status: 503,
      text: expect.stringContaining('restarting'),
    });
    await expect(GatewayClient.connect(port)).rejects.toThrow('503');
    while ((await httpGet(port, '/readyz')).status !== 200);
    const again = await GatewayClient.open(port, encode);
    again.sendAudio(speech.subarray(0, 9600), 960);
    expect((await again.flush()).totals.frames).toBe(11);
    await again.close();
    channel.close();
    await gateway.close();
  });
});

describe('memory', () => {
  /** What is reachable, in bytes, native buffers included. */
  const reachableBytes = async (): Promise<number> => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    // Buffers that came from other threads are let go a turn after they were found unreachable.
    for (let round = 0; round < 3; round += 1) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };

  test('eight thousand frames as fast as backpressure lets: queues stay within bounds, nothing is kept', async () => {
    const { gateway, port } = await startGateway();
    const client = await GatewayClient.open(port, encode);
    const second = speech.subarray(0, 48_000);
    let sentFrames = 0;
    const stream = async (frames: number): Promise<void> => {
      for (const end = sentFrames + frames; sentFrames < end; sentFrames += 50) {
        client.sendAudio(second, 960);
        // The socket's own backpressure is all that slows the client.
        while (client.socket.bufferedAmount > 0) await new Promise((resolve) => setImmediate(resolve));
        const queued = prometheusSamples((await httpGet(port, '/metrics')).text).get('tessera_queued_frames');
        expect(queued).toBeLessThan(100);
        const [session] = gateway.sessions;
        expect(session?.pendingOutputBytes).toBeLessThan(262_144);
      }
      // What was kept by the client itself must not count.
      await client.flush();
      expect(client.gaps).toEqual([]);
      client.forget();
    };
    await stream(2000);
    const before = await reachableBytes();
    await stream(8000);
    // The input alone is 7.7 MB; what a test run adds by itself is well below 400 bytes a frame.
    expect((await reachableBytes()) - before).toBeLessThan(400 * 8000);
    await client.close();
    await gateway.close();
  });
});
