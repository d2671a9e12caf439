import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TokenBlock } from '../../protocol/index.js';
import { connect, type ConnectOptions, type Session } from '../../sdk/node.js';
import type { Gateway } from '../../services/gateway/index.js';
import { Hop } from '../support/hop.js';
import { repositoryPath } from '../support/sourceFiles.js';
import { joinSamples } from '../support/streams.js';
import { startGateway } from '../support/testGateway.js';
import { readWavFixture } from '../support/wavFixture.js';

const { samples, sampleRate } = readWavFixture('speech-it-1.wav');

let gateway: Gateway;
let port: number;
let hop: Hop;
let url: string;
beforeAll(async () => {
  ({ gateway, port } = await startGateway());
});
beforeEach(async () => {
  hop = new Hop(port);
  url = await hop.listen();
});
afterEach(() => hop.close());
afterAll(() => gateway.close());

async function reaches(session: Session, state: string): Promise<void> {
  while (session.state !== state) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Codes by frame, and bytes that came; with `disturb` in the middle of the speech. */
async function encode(
  options: ConnectOptions,
  disturb: (session: Session) => Promise<void> = async () => undefined,
): Promise<{ readonly frames: readonly string[]; readonly bytes: number }> {
  const session = await connect(url, {
    mode: 'encode',
    input: { sampleRate },
    maxInputBufferMs: 10_000,
    ...options,
  });
  const frames: string[] = [];
  session.on('tokens', ({ firstFrameIndex, frameCount, quantizers, codes }) => {
    expect(firstFrameIndex).toBe(frames.length);
    for (let frame = 0; frame < frameCount; frame += 1) {
      frames.push(Array.from({ length: quantizers }, (_, q) => codes[q * frameCount + frame]).join());
    }
  });
  const half = Math.floor(samples.length / 2);
  session.send(samples.subarray(0, half));
  await disturb(session);
  session.send(samples.subarray(half));
  const { outputBytes: bytes } = await session.flush();
  await session.close();
  return { frames, bytes };
}

const cutAndComeBack = async (session: Session): Promise<void> => {
  hop.cut();
  await reaches(session, 'reconnecting');
  await reaches(session, 'open');
};

test.each([
  ['one depth', { maxQuantizers: 6 }],
  ['adaptive depth', { maxQuantizers: 6, depth: 'adaptive' }],
] as const)('entropy-coded tokens are the packed ones, in fewer bytes: %s', async (_, bitrate) => {
  const packed = await encode({ bitrate, output: { framesPerPacket: 10 } });
  const coded = await encode({ bitrate, output: { framesPerPacket: 10, coding: 'entropy' } });
  expect(coded.frames).toEqual(packed.frames);
  expect(packed.frames.length).toBeGreaterThan(200);
  expect(coded.bytes).toBeLessThan(0.95 * packed.bytes);
});

test('a connection that breaks loses none of them', async () => {
  const output = { coding: 'entropy', framesPerPacket: 2 } as const;
  const whole = await encode({ output });
  const broken = await encode({ output }, cutAndComeBack);
  expect(broken.frames).toEqual(whole.frames);
});

test('tokens that are sent entropy-coded sound as packed ones do, over a break and to another server', async () => {
  const blocks: TokenBlock[] = [];
  const ears = await connect(url, { mode: 'encode', input: { sampleRate }, bitrate: { maxQuantizers: 4 } });
  ears.on('tokens', (block) => blocks.push(block));
  ears.send(samples.subarray(0, 2 * sampleRate));
  await ears.flush();
  await ears.close();
  const speak = async (
    coding: 'packed' | 'entropy',
    disturb: (session: Session) => Promise<void>,
  ): Promise<{ readonly pcm: Float32Array; readonly bytes: number }> => {
    const pieces: Float32Array[] = [];
    const mouth = await connect(url, {
      mode: 'decode',
      input: { coding },
      output: { format: 'pcm_f32le' },
      maxInputBufferMs: 10_000,
    });
    mouth.on('audio', ({ samples: piece }) => pieces.push(piece));
    for (const block of blocks.slice(0, 60)) mouth.sendTokens(block);
    await disturb(mouth);
    for (const block of blocks.slice(60)) mouth.sendTokens(block);
    const { inputBytes: bytes } = await mouth.flush();
    await mouth.close();
    return { pcm: joinSamples(pieces), bytes };
  };
  const packed = await speak('packed', async () => undefined);
  const coded = await speak('entropy', async () => undefined);
  expect(coded.pcm).toEqual(packed.pcm);
  expect(coded.bytes).toBeLessThan(packed.bytes);
  expect((await speak('entropy', cutAndComeBack)).pcm).toEqual(packed.pcm);
  // Another server knows nothing of the stream: what is sent again must stand alone.
  const other = await startGateway();
  const moved = await speak('entropy', async (session) => {
    await session.audio().next();
    hop.target = other.port;
    await cutAndComeBack(session);
  });
  // The decoder there starts anew, so the sound of its first frame begins late by the decoder's delay.
  expect(moved.pcm.length).toBe(packed.pcm.length - ears.model.decoderDelaySamples);
  await other.gateway.close();
});

test('tokens that are published, entropy-coded, reach a subscriber over a break of the publisher', async () => {
  const blocks: TokenBlock[] = [];
  const ears = await connect(url, { mode: 'encode', input: { sampleRate }, bitrate: { maxQuantizers: 4 } });
  ears.on('tokens', (block) => blocks.push(block));
  ears.send(samples);
  await ears.flush();
  await ears.close();
  const maker = await connect(url, {
    mode: 'relay',
    input: { coding: 'entropy' },
    publish: { stream: 'made' },
    maxInputBufferMs: 10_000,
  });
  const gaps: object[] = [];
  maker.on('gap', (gap) => gaps.push(gap));
  const direct = `ws://127.0.0.1:${port}/v1/stream`;
  const listener = await connect(direct, {
    mode: 'subscribe',
    stream: 'made',
    output: { coding: 'entropy' },
    reconnect: false,
  });
  const heard: TokenBlock[] = [];
  listener.on('tokens', (block) => heard.push(block));
  const ended = new Promise((resolve) => listener.on('error', resolve));
  for (const block of blocks.slice(0, 100)) maker.sendTokens(block);
  await maker.flush();
  await cutAndComeBack(maker);
  for (const block of blocks.slice(100)) maker.sendTokens(block);
  expect((await maker.flush()).frames).toBe(blocks.length);
  await maker.close();
  expect(await ended).toMatchObject({ code: 'stream_ended' });
  expect(heard.map(({ firstFrameIndex, codes }) => [firstFrameIndex, ...codes])).toEqual(
    blocks.map(({ firstFrameIndex, codes }) => [firstFrameIndex, ...codes]),
  );
  expect(gaps).toEqual([]);
});

describe('files of the model', () => {
  const folder = `${repositoryPath}codec/model/`;
  let server: Server;
  let files: Map<string, Buffer>;
  let modelUrl: string;
  beforeAll(async () => {
    server = createServer(({ url: path = '' }, response) => {
      const bytes = files.get(path.replace(/^\/|\?.*$/g, ''));
      response.writeHead(bytes ? 200 : 404).end(bytes);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    modelUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  beforeEach(() => {
    files = new Map(['manifest.json', 'entropy.bin'].map((name) => [name, readFileSync(folder + name)]));
  });
  afterAll(() => server.close());

  const open = (): Promise<Session> =>
    connect(url, { mode: 'encode', output: { coding: 'entropy' }, modelUrl });

  test('may lie elsewhere', async () => {
    const session = await open();
    expect(session.model.entropyDigest).toMatch(/^[0-9a-f]{64}$/);
    await session.close();
  });

  test('that were changed are refused', async () => {
    files.get('entropy.bin')![1000]! ^= 1;
    await expect(open()).rejects.toMatchObject({ code: 'model_tampered' });
  });

  test('that are missing are told with their address', async () => {
    files.delete('entropy.bin');
    await expect(open()).rejects.toMatchObject({
      code: 'connection_failed',
      message: expect.stringContaining(`${modelUrl}entropy.bin`),
    });
  });

  test('without entropy tables, or with others than the server has, no session is opened', async () => {
    const manifest = JSON.parse(files.get('manifest.json')!.toString()) as Record<string, unknown>;
    files.set('manifest.json', Buffer.from(JSON.stringify({ ...manifest, entropy: undefined })));
    await expect(open()).rejects.toMatchObject({ code: 'bad_options' });
    const table = files.get('entropy.bin')!;
    // A bias of one node: still sound tables.
    table[table.length - 1]! ^= 1;
    const sha256 = Buffer.from(await crypto.subtle.digest('SHA-256', table)).toString('hex');
    const entropy = { file: 'entropy.bin', sha256 };
    files.set('manifest.json', Buffer.from(JSON.stringify({ ...manifest, entropy })));
    await expect(open()).rejects.toMatchObject({ code: 'model_mismatch' });
  });
});
