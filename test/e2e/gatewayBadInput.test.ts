import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { CodecModel } from '../../codec/index.js';
import {
  encodePcm,
  ERROR_CODES,
  parseServerMessage,
  type ErrorCode,
  type OpenMessage,
  type TokenBlock,
} from '../../protocol/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { Bystander } from '../support/bystander.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { startGateway } from '../support/testGateway.js';
import { fixtureUrl } from '../support/wavFixture.js';

type Open = Omit<OpenMessage, 'type' | 'version'>;

const pcm: Open = {
  mode: 'encode',
  input: { format: 'pcm_s16le', sampleRate: 24_000 },
  output: { format: 'tokens' },
};
const wav: Open = { ...pcm, input: { format: 'wav' } };
const container: Open = { ...pcm, input: { format: 'container' } };
const decode: Open = { mode: 'decode', input: { format: 'tokens' }, output: { format: 'pcm_s16le' } };
const SILENCE = new Uint8Array(960);

let gateway: Gateway;
let port: number;
let model: CodecModel;
let expected: TokenBlock[];

beforeAll(async () => {
  ({ gateway, port } = await startGateway());
  model = await CodecModel.load({ provider: 'cpu' });
  expected = await Bystander.expected(model);
});

afterAll(async () => {
  await gateway.close();
  await model.close();
});

/** Ends in this error, with its close code, while a bystander streams on; and the gateway takes new sessions. */
async function expectRefused(code: ErrorCode, misbehave: () => Promise<GatewayClient>): Promise<string> {
  const bystander = await Bystander.start(port, expected);
  const client = await misbehave();
  const close = await client.closed;
  expect(client.messages.at(-1)).toMatchObject({
    type: 'error',
    code,
    retryable: ERROR_CODES[code].retryable,
  });
  expect(close).toEqual({ code: ERROR_CODES[code].closeCode, reason: code });
  expect(await bystander.finish()).toBeLessThan(0.001);
  const last = client.messages.at(-1);
  return last?.type === 'error' ? last.message : '';
}

/** Connects and sends text frames as they are. */
const says =
  (...texts: string[]) =>
  async (): Promise<GatewayClient> => {
    const client = await GatewayClient.connect(port);
    for (const text of texts) client.socket.send(text);
    return client;
  };

/** Opens a session and does something with it. */
const opens = (open: Open, act: (client: GatewayClient) => void) => async (): Promise<GatewayClient> => {
  const client = await GatewayClient.open(port, open);
  act(client);
  return client;
};

/** Opens a session that sends these bytes as a file. */
const sendsFile = (open: Open, bytes: Uint8Array): (() => Promise<GatewayClient>) =>
  opens(open, (client) => {
    client.sendAudio(bytes, 10_000);
    client.send({ type: 'flush' });
  });

const openText = (change: object): string => JSON.stringify({ type: 'open', version: 1, ...pcm, ...change });

describe('messages', () => {
  test.each<[string, ErrorCode, string[], RegExp]>([
    ['malformed JSON', 'bad_message', ['{"type":'], /not JSON/],
    ['JSON that is no object', 'bad_message', ['[1]'], /object/],
    ['an unknown type', 'bad_message', ['{"type":"begin"}'], /"begin"/],
    ['a message of the server', 'bad_message', ['{"type":"flushed"}'], /"flushed"/],
    ['an unknown mode', 'bad_message', [openText({ mode: 'transcribe' })], /mode/],
    ['an unknown input format', 'bad_message', [openText({ input: { format: 'mp3' } })], /input.format/],
    [
      'a sample rate below 8 kHz',
      'bad_message',
      [openText({ input: { format: 'pcm_s16le', sampleRate: 7999 } })],
      /sampleRate/,
    ],
    [
      'PCM without a sample rate',
      'bad_options',
      [openText({ input: { format: 'pcm_s16le' } })],
      /sampleRate/,
    ],
    [
      'a mode that does not fit its output',
      'bad_options',
      [openText({ output: { format: 'pcm_s16le' } })],
      /resynth/,
    ],
    [
      'packets that are too long',
      'bad_options',
      [openText({ output: { format: 'tokens', framesPerPacket: 51 } })],
      /50/,
    ],
    [
      'a bitrate that the model lacks',
      'bad_options',
      [openText({ bitrate: { minQuantizers: 99 } })],
      /quantizers/,
    ],
    ['another version', 'unsupported_version', [openText({ version: 2 })], /version 1/],
    ['a message before open', 'bad_state', ['{"type":"flush"}'], /"open" first/],
    ['a second open', 'bad_state', [openText({}), openText({})], /"opened"/],
    ['a message above the limit', 'frame_too_large', [`"${'x'.repeat(70_000)}"`], /65536/],
    [
      'the same, in characters of several bytes',
      'frame_too_large',
      [`{"type":"${'é'.repeat(40_000)}"}`],
      /65536/,
    ],
  ])('%s: %s', async (_, code, texts, sentence) => {
    expect(await expectRefused(code, says(...texts))).toMatch(sentence);
  });

  test('a second flush before the first was answered: bad_state', async () => {
    await expectRefused(
      'bad_state',
      opens(pcm, (client) => {
        client.sendAudio(new Uint8Array(96_000));
        client.send({ type: 'flush' });
        client.send({ type: 'flush' });
      }),
    );
  });

  test('a bitrate in mode decode: bad_options', async () => {
    await expectRefused(
      'bad_options',
      opens(decode, (client) => client.send({ type: 'bitrate', bitrate: { maxQuantizers: 2 } })),
    );
  });
});

describe('binary frames', () => {
  test('before open: bad_state', async () => {
    await expectRefused('bad_state', async () => {
      const client = await GatewayClient.connect(port);
      client.socket.send(SILENCE);
      return client;
    });
  });

  test.each<[string, ErrorCode, Open, number[]]>([
    ['an empty frame', 'bad_frame', pcm, []],
    ['an unknown type', 'bad_frame', pcm, [9, 0, 1]],
    ['a frame of the server', 'bad_frame', pcm, [3, 0, 1, 1]],
    ['no payload', 'bad_frame', pcm, [1, 0]],
    ['an overlong offset', 'bad_frame', pcm, [1, 0x80, 0, 1]],
    ['TOKENS where audio is due', 'bad_frame', pcm, [2, 0, 1, 1, 1, 0]],
    ['AUDIO where tokens are due', 'bad_frame', decode, [1, 0, 1, 1]],
    ['a hole in a file', 'bad_frame', wav, [1, 5, 1, 1]],
    ['a jump by half a sample', 'bad_frame', pcm, [1, 3, 1, 1]],
    ['a jump of an hour', 'bad_frame', pcm, [1, 0x80, 0x80, 0x80, 0x80, 1, 1, 1]],
    ['more codebooks than the model', 'bad_frame', decode, [2, 0, 1, 13]],
    ['codes that are cut short', 'bad_frame', decode, [2, 0, 1, 2, 1, 0]],
    ['a set spare bit', 'bad_tokens', decode, [2, 0, 1, 1, 1, 0xfc]],
    ['tokens that skip a frame', 'bad_frame', decode, [2, 1, 1, 1, 1, 0]],
    ['a gap of an hour', 'bad_frame', decode, [4, 0, 0xa0, 0xfc, 0x0a, 1]],
  ])('%s: %s', async (_, code, open, bytes) => {
    await expectRefused(
      code,
      opens(open, (client) => client.socket.send(Uint8Array.from(bytes))),
    );
  });

  test('tokens that repeat a frame: bad_frame', async () => {
    const frame = { kind: 'tokens', firstFrameIndex: 0, frameCount: 1, quantizers: 1 } as const;
    await expectRefused(
      'bad_frame',
      opens(decode, (client) => {
        client.sendFrame({ ...frame, codes: Uint16Array.of(1) });
        client.sendFrame({ ...frame, codes: Uint16Array.of(1) });
      }),
    );
  });

  test('a frame above the limit: frame_too_large', async () => {
    await expectRefused(
      'frame_too_large',
      opens(pcm, (client) => client.sendAudio(new Uint8Array(131_072))),
    );
  });

  test('one so large that it is not even read: close code 1009', async () => {
    const bystander = await Bystander.start(port, expected);
    const client = await GatewayClient.open(port, pcm);
    client.sendAudio(new Uint8Array(2_000_000));
    await expect(client.closed).resolves.toMatchObject({ code: 1009 });
    expect(await bystander.finish()).toBeLessThan(0.001);
  });

  test('text that is not UTF-8: close code 1007', async () => {
    const bystander = await Bystander.start(port, expected);
    const client = await GatewayClient.connect(port);
    client.socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
    await expect(client.closed).resolves.toMatchObject({ code: 1007 });
    expect(await bystander.finish()).toBeLessThan(0.001);
  });
});

describe('audio', () => {
  const speechWav = readFileSync(fixtureUrl('speech-en-1.wav'));
  const withBytes = (at: number, ...bytes: number[]): Buffer => {
    const copy = Buffer.from(speechWav);
    copy.set(bytes, at);
    return copy;
  };

  test.each<[string, ErrorCode, Open, Uint8Array]>([
    ['an empty WAV file', 'bad_audio', wav, new Uint8Array(0)],
    ['a WAV file cut in its header', 'bad_audio', wav, speechWav.subarray(0, 30)],
    ['a WAV file cut in its data', 'bad_audio', wav, speechWav.subarray(0, 100_001)],
    ['a WAV header with 0 channels', 'bad_audio', wav, withBytes(22, 0, 0)],
    ['a WAV header with 33 channels', 'unsupported_audio', wav, withBytes(22, 33, 0)],
    ['text as WAV', 'bad_audio', wav, Buffer.from('RIFF is what this text lacks. '.repeat(100))],
    ['text as a container', 'unsupported_audio', container, Buffer.from('This is only text. '.repeat(1000))],
    ['an empty container', 'bad_audio', container, new Uint8Array(0)],
  ])('%s: %s', async (_, code, open, bytes) => {
    expect(await expectRefused(code, sendsFile(open, bytes))).not.toBe('');
  });

  test.each([NaN, Infinity, -Infinity])('PCM with %p: bad_audio', async (wrong) => {
    const samples = new Float32Array(4800);
    samples[2000] = wrong;
    const message = await expectRefused(
      'bad_audio',
      opens({ ...pcm, input: { format: 'pcm_f32le', sampleRate: 24_000 } }, (client) =>
        client.sendAudio(new Uint8Array(samples.buffer), 1920),
      ),
    );
    expect(message).toMatch(/sample 2000/i);
    expect(encodePcm(samples, 'pcm_f32le')).toHaveLength(19_200);
  });

  test('more data after the flush of a file: bad_state', async () => {
    await expectRefused('bad_state', async () => {
      const client = await GatewayClient.open(port, wav);
      client.sendAudio(speechWav, 10_000);
      await client.flush();
      client.sendAudio(SILENCE);
      return client;
    });
  });
});

describe('handshakes', () => {
  const refusedHandshake = async (
    path: string,
    protocols: string[],
    headers: Record<string, string> = {},
  ): Promise<{ status: number | undefined; body: unknown }> => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers });
    return new Promise((resolve, reject) => {
      socket.on('open', () => reject(new Error('The handshake succeeded')));
      socket.on('error', reject);
      socket.on('unexpected-response', (_request, response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          resolve({
            status: response.statusCode,
            body: JSON.parse(Buffer.concat(parts).toString()) as unknown,
          });
        });
      });
    });
  };

  test.each([[[]], [['tessera.v2']], [['chat', 'superchat']]])('subprotocols %j: 400', async (protocols) => {
    const { status, body } = await refusedHandshake('/v1/stream', protocols);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      code: 'unsupported_version',
      message: expect.stringContaining('tessera.v1'),
    });
  });

  test('another path: 404', async () => {
    const { status, body } = await refusedHandshake('/v2', ['tessera.v1']);
    expect(status).toBe(404);
    expect(body).toMatchObject({ code: 'not_found' });
  });

  test('tessera.v1 is chosen among others', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream`, ['tessera.v2', 'tessera.v1']);
    await new Promise((resolve) => socket.on('open', resolve));
    expect(socket.protocol).toBe('tessera.v1');
    expect(socket.extensions).toBe('');
    socket.terminate();
  });

  test('bytes that are no HTTP, and headers without end', async () => {
    const bystander = await Bystander.start(port, expected);
    for (const text of [
      '\u0000\u0001\u0002 nonsense\r\n\r\n',
      `GET / HTTP/1.1\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`,
    ]) {
      const answer = await new Promise<string>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(text));
        let received = '';
        socket.on('data', (part) => (received += part.toString()));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(received));
      });
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d/);
    }
    expect(await bystander.finish()).toBeLessThan(0.001);
  });

  test('a POST: 405', async () => {
    const status = await new Promise((resolve, reject) => {
      const post = request({ port, host: '127.0.0.1', method: 'POST', path: '/metrics' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      post.on('error', reject);
      post.end('x'.repeat(1000));
    });
    expect(status).toBe(405);
  });
});

describe('time limits and capacity', () => {
  test('no open in time: open_timeout; nothing for too long: idle_timeout', async () => {
    const strict = await startGateway({ openTimeoutMs: 50, idleTimeoutMs: 100 });
    const silent = await GatewayClient.connect(strict.port);
    await expect(silent.closed).resolves.toEqual({ code: 4420, reason: 'open_timeout' });
    const idle = await GatewayClient.open(strict.port, pcm);
    await expect(idle.closed).resolves.toEqual({ code: 4421, reason: 'idle_timeout' });
    expect(idle.messages.at(-1)).toMatchObject({ type: 'error', code: 'idle_timeout', retryable: true });
    await strict.gateway.close();
  });

  test('a session that lasts too long gets its output, and is closed with session_limit', async () => {
    const strict = await startGateway({ maxSessionMs: 300 });
    const client = await GatewayClient.open(strict.port, pcm);
    client.sendAudio(new Uint8Array(9600), 960);
    await expect(client.closed).resolves.toEqual({ code: 4422, reason: 'session_limit' });
    expect(client.messages.map(({ type }) => type)).toEqual(['opened', 'closing', 'closed']);
    expect(client.tokens.length).toBe(11);
    await strict.gateway.close();
  });

  test('a session that has lasted too long cannot be taken over while it still sends', async () => {
    const strict = await startGateway({ maxSessionMs: 50 });
    const client = await GatewayClient.open(strict.port, pcm);
    client.sendAudio(new Uint8Array(240_000), 9600);
    await client.waitFor('closing');
    const resume = { token: client.opened.resumeToken, nextFrameIndex: 0 };
    const next = await GatewayClient.open(strict.port, { ...pcm, resume });
    expect(next.opened.resumed).toBeUndefined();
    await expect(client.closed).resolves.toEqual({ code: 4422, reason: 'session_limit' });
    next.socket.terminate();
    await strict.gateway.close();
  });

  test('where no number is set, sessions past what the engine carries get at_capacity; the others go on', async () => {
    const measured = await startGateway({ maxSessions: undefined, resumeWindowMs: 0 });
    const clients: GatewayClient[] = [];
    for (;;) {
      const client = await GatewayClient.connect(measured.port);
      clients.push(client);
      client.socket.send(openText({}));
      await client.until(() => client.messages.length > 0);
      if (client.messages[0]?.type !== 'opened') break;
    }
    const refused = clients.pop();
    expect(refused?.messages).toEqual([
      expect.objectContaining({ type: 'error', code: 'at_capacity', retryAfterMs: expect.any(Number) }),
    ]);
    await expect(refused?.closed).resolves.toEqual({ code: 4430, reason: 'at_capacity' });
    expect(clients.length).toBeGreaterThan(0);
    const [first] = clients;
    first?.sendAudio(new Uint8Array(9600), 960);
    await first?.flush();
    expect(first?.tokens.length).toBe(11);
    await Promise.all(clients.map((client) => client.close()));
    await measured.gateway.close();
  });

  test('one session too many: at_capacity, and a place again when one ends', async () => {
    const small = await startGateway({ maxSessions: 1, resumeWindowMs: 0 });
    const first = await GatewayClient.open(small.port, pcm);
    const second = await GatewayClient.connect(small.port);
    second.socket.send(openText({}));
    await expect(second.closed).resolves.toEqual({ code: 4430, reason: 'at_capacity' });
    const error = parseServerMessage(JSON.stringify(second.messages.at(-1)));
    expect(error).toMatchObject({ code: 'at_capacity', retryable: true, retryAfterMs: expect.any(Number) });
    await first.close();
    const third = await GatewayClient.open(small.port, pcm);
    await third.close();
    await small.gateway.close();
  });
});
