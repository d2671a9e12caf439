import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { WebSocketServer, type WebSocket } from 'ws';
import { parseServerMessage } from '../../../protocol/index.js';
import { AudioInput } from '../../../sdk/audioInput.js';
import { backoffDelayMs } from '../../../sdk/backoff.js';
import { BoundedStream } from '../../../sdk/boundedStream.js';
import { connect } from '../../../sdk/node.js';
import { readServerMessage } from '../../../sdk/serverReader.js';
import { TokenInput } from '../../../sdk/tokenInput.js';
import { repositoryPath } from '../../support/sourceFiles.js';

const MODEL = {
  name: 'demo',
  version: '1',
  digest: 'd',
  sampleRate: 24_000,
  hop: 480,
  frameRate: 50,
  quantizers: 4,
  codebookSize: 1024,
  delaySamples: 840,
  decoderDelaySamples: 360,
};
const LIMITS = {
  maxMessageBytes: 65_536,
  maxFrameBytes: 131_072,
  maxFramesPerPacket: 50,
  maxInputBufferBytes: 262_144,
  maxOutputBufferBytes: 262_144,
  maxInputGapMs: 10_000,
  idleTimeoutMs: 60_000,
  resumeWindowMs: 15_000,
};
const OPENED = {
  type: 'opened',
  version: 1,
  sessionId: 's',
  resumeToken: 't',
  model: MODEL,
  provider: 'cpu',
  bitrate: { minQuantizers: 1, maxQuantizers: 4, quantizers: 4, bitsPerSecond: 2000 },
  framesPerPacket: 1,
  limits: LIMITS,
};
const TOTALS = { inputBytes: 1, samples: 2, frames: 3, gapFrames: 0, outputBytes: 4 };

describe('messages of a server', () => {
  test.each([
    OPENED,
    { type: 'flushed', totals: TOTALS },
    { type: 'closed', totals: TOTALS },
    { type: 'bitrate', ...OPENED.bitrate, fromFrameIndex: 7 },
    { type: 'error', code: 'internal', message: 'm', retryable: true },
    { type: 'closing', code: 'going_away', message: 'm', deadlineMs: 1 },
  ])('$type reads as the protocol reads it, and not with a field missing', (message) => {
    const json = JSON.stringify(message);
    expect(readServerMessage(json)).toEqual(parseServerMessage(json));
    for (const field of Object.keys(message).filter((name) => name !== 'type')) {
      const without = JSON.stringify({ ...message, [field]: undefined });
      expect(() => readServerMessage(without)).toThrow(expect.objectContaining({ code: 'bad_message' }));
    }
  });

  test.each(['', 'null', '[]', '{"type":"toString"}', '{"type":7}'])('%j is refused', (json) => {
    expect(() => readServerMessage(json)).toThrow(expect.objectContaining({ code: 'bad_message' }));
  });
});

describe('audio that is sent', () => {
  const INPUT = { format: 'pcm_s16le', sampleRate: 24_000 } as const;
  const second = (): Uint8Array => new Uint8Array(48_000);

  test('a session goes on from where the server is', () => {
    const input = new AudioInput(INPUT, MODEL, LIMITS, 1000);
    input.add(second());
    const frames = input.resume(40_000);
    expect(frames.map((frame) => frame.kind === 'audio' && frame.byteOffset)).toEqual([32_768]);
  });

  test('what is too old is left out, and the server told by the offset', () => {
    const input = new AudioInput(INPUT, MODEL, LIMITS, 500);
    for (let piece = 0; piece < 8; piece += 1) input.add(new Uint8Array(12_000));
    const [first] = input.resume(0);
    expect(first).toMatchObject({ kind: 'audio', byteOffset: 72_000 });
  });

  test('a new session begins with what did not come out of the last one, and counts from there', () => {
    const input = new AudioInput(INPUT, MODEL, LIMITS, 10_000);
    for (let frame = 0; frame < 100; frame += 1) input.add(new Uint8Array(960));
    const { frames, frameBase } = input.restart(90);
    expect(frameBase).toBe(90);
    expect(frames).toHaveLength(10);
    expect(frames[0]).toMatchObject({ byteOffset: 0 });
    expect(input.resume(0)[0]).toMatchObject({ byteOffset: 0 });
  });

  test('a file cannot be gone on with from its middle', () => {
    const input = new AudioInput({ format: 'wav' }, MODEL, LIMITS, 1000);
    input.add(second());
    expect(() => input.restart(10)).toThrow(expect.objectContaining({ code: 'connection_failed' }));
  });
});

describe('tokens that are sent', () => {
  const block = (firstFrameIndex: number) => ({
    firstFrameIndex,
    frameCount: 1,
    quantizers: 1,
    codes: Uint16Array.of(1),
  });

  test('frames that were left out become a gap; passed ones are refused', () => {
    const input = new TokenInput(10, MODEL);
    expect(input.add(block(0), true)).toHaveLength(1);
    expect(input.add(block(3), true)).toMatchObject([
      { kind: 'gap', firstFrameIndex: 1, frameCount: 2 },
      { kind: 'tokens', firstFrameIndex: 3 },
    ]);
    expect(() => input.add(block(2), true)).toThrow(expect.objectContaining({ code: 'bad_tokens' }));
  });

  test('without a connection a bounded number waits; the rest becomes a gap', () => {
    const input = new TokenInput(5, MODEL);
    for (let frame = 0; frame < 20; frame += 1) input.add(block(frame), false);
    expect(input.resume(0)).toHaveLength(5);
    expect(input.add(block(20), true)[0]).toMatchObject({ kind: 'gap', firstFrameIndex: 5, frameCount: 15 });
  });

  test('a new session counts from its first frame', () => {
    const input = new TokenInput(50, MODEL);
    for (let frame = 0; frame < 30; frame += 1) input.add(block(frame), true);
    const { frames, frameBase } = input.restart(28);
    expect(frameBase).toBe(28);
    expect(frames.map((frame) => frame.kind === 'tokens' && frame.firstFrameIndex)).toEqual([0, 1]);
    expect(input.resume(6)).toMatchObject([{ firstFrameIndex: 1 }]);
  });
});

test('an iterator holds so much and no more, ends, and tells an error once', async () => {
  const stream = new BoundedStream<number>(3, () => undefined);
  for (let item = 0; item < 5; item += 1) stream.push(item);
  expect((await stream.next()).value).toBe(2);
  stream.end(new Error('over'));
  expect((await stream.next()).value).toBe(3);
  expect((await stream.next()).value).toBe(4);
  await expect(stream.next()).rejects.toThrow('over');
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});

test('a young outage is tried often, an old one ever less', () => {
  expect(backoffDelayMs(0, 0, 0.5)).toBe(50);
  expect(backoffDelayMs(1, 200, 0.5)).toBe(150);
  expect(backoffDelayMs(9, 2500, 0.999)).toBeLessThan(200);
  expect(backoffDelayMs(30, 60_000, 0.5)).toBeGreaterThan(1000);
  expect(backoffDelayMs(99, 86_400_000, 0.999)).toBeLessThanOrEqual(12_000);
});

describe('a server that does what it should not', () => {
  let server: WebSocketServer;
  const behave = async (onOpen: (socket: WebSocket) => void): Promise<string> => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => socket.on('message', () => onOpen(socket)));
    await once(server, 'listening');
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/stream`;
  };
  afterEach(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });

  test.each([
    ['no JSON', (socket: WebSocket) => socket.send('{'), 'bad_message'],
    [
      'a later refusal',
      (socket: WebSocket) =>
        socket.send('{"type":"error","code":"new","message":"m","retryable":false}', () =>
          socket.close(4999),
        ),
      'bad_options',
    ],
    ['a close code alone', (socket: WebSocket) => socket.close(4430), 'at_capacity'],
    ['nothing but a break', (socket: WebSocket) => socket.terminate(), 'connection_failed'],
  ])('%s', async (_, onOpen, code) => {
    await expect(connect(await behave(onOpen))).rejects.toMatchObject({ name: 'TesseraError', code });
  });

  test('a bad frame ends the session with its code', async () => {
    const session = await connect(
      await behave((socket) => {
        socket.send(JSON.stringify(OPENED));
        socket.send(Uint8Array.of(9));
      }),
    );
    await expect(session.audio().next()).rejects.toMatchObject({ code: 'bad_frame' });
    expect(session.state).toBe('closed');
    expect(() => session.send(new Float32Array(1))).toThrow(expect.objectContaining({ code: 'bad_frame' }));
  });
});

test('the module is under 25 kB gzipped', () => {
  const module = readFileSync(`${repositoryPath}dist/client/tessera.js`);
  expect(gzipSync(module, { level: 9 }).length).toBeLessThan(25_000);
});
