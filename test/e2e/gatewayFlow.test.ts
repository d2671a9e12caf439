import { CodecModel, encodePcm } from '../../codec/index.js';
import {
  decodePcm,
  encodePcm as pcmBytes,
  takeQuantizers,
  type OpenMessage,
  type ServerFrame,
  type TokenBlock,
} from '../../protocol/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { httpGet, prometheusSamples } from '../support/http.js';
import { startGateway } from '../support/testGateway.js';
import { differingCodes } from '../support/tokenStreams.js';
import { readWavFixture } from '../support/wavFixture.js';

type Open = Omit<OpenMessage, 'type' | 'version'>;

const MAX_DIFFERING = 0.001;
const encode: Open = {
  mode: 'encode',
  input: { format: 'pcm_s16le', sampleRate: 24_000 },
  output: { format: 'tokens' },
};
const resynth: Open = { ...encode, mode: 'resynth', output: { format: 'pcm_s16le' } };
const decode: Open = { mode: 'decode', input: { format: 'tokens' }, output: { format: 'pcm_s16le' } };

let gateway: Gateway;
let port: number;
let model: CodecModel;
let speech: Uint8Array;
let expected: TokenBlock[];

beforeAll(async () => {
  ({ gateway, port } = await startGateway());
  model = await CodecModel.load({ provider: 'cpu' });
  const { samples } = readWavFixture('speech-de-1.wav');
  speech = pcmBytes(samples, 'pcm_s16le');
  expected = [];
  for await (const block of encodePcm(model, samples)) expected.push(block);
});

afterAll(async () => {
  await gateway.close();
  await model.close();
});

/** The frames of TOKENS and GAP packets in order: each must start where the one before ended, the first at 0. */
function accountedFrames(frames: readonly ServerFrame[]): number {
  let next = 0;
  for (const frame of frames) {
    if (frame.kind === 'pcm') throw new Error('Only TOKENS and GAP name frames');
    expect(frame.firstFrameIndex).toBe(next);
    next += frame.frameCount;
  }
  return next;
}

describe('bitrate', () => {
  test('a change mid-session takes effect at the frame that is announced, before it comes', async () => {
    const client = await GatewayClient.open(port, { ...encode, bitrate: { maxQuantizers: 8 } });
    const half = 960 * 60;
    client.sendAudio(speech.subarray(0, half), 960);
    await client.until(() => client.tokens.length === 60);
    client.send({ type: 'bitrate', bitrate: { maxBitsPerSecond: 1500 } });
    const change = await client.waitFor('bitrate');
    client.sendAudio(speech.subarray(half), 960);
    await client.flush();

    expect(change).toEqual({
      type: 'bitrate',
      minQuantizers: 1,
      maxQuantizers: 3,
      quantizers: 3,
      bitsPerSecond: 1500,
      fromFrameIndex: 60,
    });
    expect(client.tokens.map(({ quantizers }) => quantizers)).toEqual(
      client.tokens.map(({ firstFrameIndex }) => (firstFrameIndex < 60 ? 8 : 3)),
    );
    expect(differingCodes(client.tokens, expected)).toBeLessThan(MAX_DIFFERING);
    await client.close();
  });

  test('changes while audio flows: every announcement precedes its frame and holds until the next', async () => {
    const client = await GatewayClient.open(port, {
      ...encode,
      output: { format: 'tokens', framesPerPacket: 4 },
    });
    for (let at = 0, turn = 0; at < speech.length; at += 9600, turn += 1) {
      client.sendAudio(speech.subarray(at, at + 9600), 960);
      client.send({
        type: 'bitrate',
        bitrate: { minQuantizers: 1 + (turn % 12), maxQuantizers: 1 + (turn % 12) },
      });
    }
    await client.flush();
    let { quantizers } = client.opened.model;
    let from = 0;
    let changes = 0;
    for (const event of client.events) {
      if (event.kind === 'message' && event.message.type === 'bitrate') {
        ({ quantizers, fromFrameIndex: from } = event.message);
        changes += 1;
      } else if (event.kind === 'frame' && event.frame.kind === 'tokens') {
        expect(event.frame.quantizers).toBe(quantizers);
        expect(event.frame.firstFrameIndex).toBeGreaterThanOrEqual(from);
      }
    }
    expect(changes).toBe(Math.ceil(speech.length / 9600));
    expect(accountedFrames(client.frames)).toBe(
      expected.at(-1)!.firstFrameIndex + expected.at(-1)!.frameCount,
    );
    expect(differingCodes(client.tokens, expected)).toBeLessThan(MAX_DIFFERING);
    await client.close();
  });
});

describe('flush', () => {
  test('two stretches: the second begins at the next frame, and only sound comes back', async () => {
    const client = await GatewayClient.open(port, resynth);
    const [hop, delay] = [client.opened.model.hop, client.opened.model.decoderDelaySamples];
    client.sendAudio(speech.subarray(0, 2 * 1000), 333);
    const first = await client.flush();
    expect(first.totals).toMatchObject({ samples: 1000, frames: Math.ceil((1000 + delay) / hop) });
    const firstPcm = client.pcm.splice(0);
    expect(firstPcm.reduce((total, { payload }) => total + payload.length / 2, 0)).toBe(1000);

    client.sendAudio(speech.subarray(2000, 2000 + 2 * 777), 100);
    const second = await client.flush();
    const secondPcm = client.pcm.slice(firstPcm.length);
    const start = hop * first.totals.frames;
    expect(secondPcm[0]?.firstSampleIndex).toBe(start);
    expect(secondPcm.reduce((total, { payload }) => total + payload.length / 2, 0)).toBe(777);
    expect(second.totals).toMatchObject({
      samples: start + 777,
      frames: first.totals.frames + Math.ceil((777 + delay) / hop),
    });
    await client.close();
  });

  test('data right behind a flush belongs to the next stretch', async () => {
    const client = await GatewayClient.open(port, resynth);
    const { hop } = client.opened.model;
    client.sendAudio(speech.subarray(0, 20_000), 960);
    client.send({ type: 'flush' });
    client.sendAudio(speech.subarray(20_000, 40_000), 960);
    const first = await client.waitFor('flushed');
    const second = await client.flush();
    const start = first.totals.frames * hop;
    expect(second.totals.samples).toBe(start + 10_000);
    let next = 0;
    for (const { firstSampleIndex, payload } of client.pcm) {
      if (firstSampleIndex !== next) {
        expect([next, firstSampleIndex]).toEqual([10_000, start]);
        next = start;
      }
      next += payload.length / 2;
    }
    expect(next).toBe(start + 10_000);
    await client.close();
  });

  test('a flush of nothing is answered, as often as it is asked', async () => {
    const client = await GatewayClient.open(port, encode);
    expect((await client.flush()).totals).toMatchObject({ samples: 0, frames: 0 });
    expect((await client.flush()).totals).toMatchObject({ samples: 0, frames: 0 });
    client.sendAudio(speech.subarray(0, 960));
    const { totals } = await client.flush();
    expect(totals).toMatchObject({ samples: 480, frames: 2 });
    expect((await client.flush()).totals).toEqual(totals);
    await client.close();
  });
});

describe('lost and repeated input', () => {
  test('bytes that are sent again are skipped; a jump of the offset is silence', async () => {
    const gapBytes = 4800;
    const withHole = new Uint8Array(speech.subarray(0, 48_000));
    withHole.fill(0, 9600, 9600 + gapBytes);
    const client = await GatewayClient.open(port, encode);
    client.sendAudio(speech.subarray(0, 9600), 960);
    client.sendFrame({ kind: 'audio', byteOffset: 5000, payload: speech.subarray(5000, 9600) });
    client.byteOffset += gapBytes;
    client.sendAudio(speech.subarray(9600 + gapBytes, 48_000), 960);
    const { totals } = await client.flush();
    expect(totals).toMatchObject({ inputBytes: 48_000 - gapBytes, samples: 24_000 });

    const whole = await GatewayClient.open(port, encode);
    whole.sendAudio(withHole, 960);
    await whole.flush();
    expect(differingCodes(client.tokens, whole.tokens)).toBeLessThan(MAX_DIFFERING);
    await Promise.all([client.close(), whole.close()]);
  });

  test('a jump that stands for megabytes of silence leaves others their turn', async () => {
    const input = { format: 'pcm_s16le', sampleRate: 192_000, channels: 32 } as const;
    const client = await GatewayClient.open(port, { ...encode, input });
    const secondBytes = 192_000 * 32 * 2;
    let turns = 0;
    let isCounting = true;
    const count = (): void => {
      turns += 1;
      if (isCounting) setImmediate(count);
    };
    count();
    client.sendFrame({ kind: 'audio', byteOffset: secondBytes, payload: new Uint8Array(64) });
    const { totals } = await client.flush();
    isCounting = false;
    expect(totals.samples).toBe(24_000);
    // At least one for every piece of silence.
    expect(turns).toBeGreaterThan(secondBytes / 16_384);
    await client.close();
  });

  test('a gap in tokens is concealed: the audio goes on in time', async () => {
    const client = await GatewayClient.open(port, decode);
    const { hop, decoderDelaySamples } = client.opened.model;
    const block = takeQuantizers(expected[0]!, 4);
    const codes = (from: number, count: number): Uint16Array =>
      Uint16Array.from({ length: 4 * count }, (_, at) => {
        const [quantizer, frame] = [Math.floor(at / count), at % count];
        return block.codes[quantizer * block.frameCount + from + frame] ?? 0;
      });
    client.sendFrame({
      kind: 'tokens',
      firstFrameIndex: 0,
      frameCount: 20,
      quantizers: 4,
      codes: codes(0, 20),
    });
    client.sendFrame({ kind: 'gap', firstFrameIndex: 20, frameCount: 3, reason: 'input_lost' });
    client.sendFrame({
      kind: 'tokens',
      firstFrameIndex: 23,
      frameCount: 20,
      quantizers: 4,
      codes: codes(23, 20),
    });
    const { totals } = await client.flush();
    expect(totals).toMatchObject({ frames: 43, samples: 43 * hop - decoderDelaySamples, gapFrames: 0 });
    const samples = client.pcm.flatMap(({ payload }) => [...decodePcm(payload, 'pcm_s16le')]);
    expect(samples).toHaveLength(totals.samples);
    await client.close();
  });
});

describe('a slow reader', () => {
  test('loses frames by explicit gaps that account for every frame, holds no memory, and goes on', async () => {
    const small = await startGateway({ maxOutputBufferBytes: 16_384, resumeWindowMs: 0 });
    const client = await GatewayClient.open(small.port, { ...resynth, output: { format: 'pcm_f32le' } });
    const { hop, decoderDelaySamples } = client.opened.model;
    // The network's own buffers take some megabytes first.
    client.socket.pause();
    const metric = async (name: string): Promise<number> =>
      prometheusSamples((await httpGet(small.port, '/metrics')).text).get(name) ?? 0;
    let sentFrames = 0;
    while ((await metric('tessera_dropped_frames_total')) < 200) {
      client.sendAudio(speech.subarray(0, 48_000), 9600);
      sentFrames += 50;
      // No faster than it is processed, so that nothing waits before the codec.
      while ((await metric('tessera_output_frames_total{mode="resynth"}')) < sentFrames);
    }
    const [session] = small.gateway.sessions;
    expect(session?.pendingOutputBytes).toBeLessThan(2 * 16_384);

    client.socket.resume();
    const { totals } = await client.flush();
    expect(client.gaps.every(({ reason }) => reason === 'output_dropped')).toBe(true);
    const lost = client.gaps.reduce((sum, { frameCount }) => sum + frameCount, 0);
    expect(lost).toBeGreaterThanOrEqual(200);
    expect(totals).toMatchObject({ frames: sentFrames + 1, gapFrames: lost });
    // Every sample is either here or in a gap.
    let next = 0;
    for (const frame of client.frames) {
      if (frame.kind === 'gap') {
        expect(Math.max(0, frame.firstFrameIndex * hop - decoderDelaySamples)).toBe(next);
        next = (frame.firstFrameIndex + frame.frameCount) * hop - decoderDelaySamples;
      } else if (frame.kind === 'pcm') {
        expect(frame.firstSampleIndex).toBe(next);
        next += frame.payload.length / 4;
      }
    }
    expect(Math.min(next, totals.samples)).toBe(totals.samples);

    // And it is a good session again.
    const before = client.pcm.length;
    client.sendAudio(speech.subarray(0, 9600), 960);
    await client.flush();
    expect(client.pcm.length).toBe(before + 11);
    await client.close();
    await small.gateway.close();
  });
});

describe('resuming', () => {
  /** Breaks the connection as a network would. */
  const cut = async (client: GatewayClient): Promise<void> => {
    client.socket.terminate();
    await client.closed;
  };

  test('after a break the session goes on: same id, no frame lost or made twice', async () => {
    const client = await GatewayClient.open(port, encode);
    client.sendAudio(speech.subarray(0, 48_000), 960);
    await client.until(() => client.tokens.length >= 10);
    await cut(client);
    // As if only ten frames had arrived.
    const received = client.tokens.slice(0, 10);
    const next = await GatewayClient.open(port, {
      ...encode,
      resume: { token: client.opened.resumeToken, nextFrameIndex: 10 },
    });
    const { resumed, sessionId, resumeToken } = next.opened;
    expect(sessionId).toBe(client.opened.sessionId);
    expect(resumeToken).not.toBe(client.opened.resumeToken);
    expect(resumed?.nextFrameIndex).toBe(10);
    next.byteOffset = resumed!.inputByteOffset;
    next.sendAudio(speech.subarray(next.byteOffset), 960);
    const { totals } = await next.flush();
    expect(totals.inputBytes).toBe(speech.length);
    expect(accountedFrames([...received, ...next.frames])).toBe(totals.frames);
    expect(differingCodes([...received, ...next.tokens], expected)).toBeLessThan(MAX_DIFFERING);
    await next.close();
  });

  test('what is no longer kept comes as a gap', async () => {
    const small = await startGateway({ maxReplayBytes: 2000 });
    const client = await GatewayClient.open(small.port, encode);
    client.sendAudio(speech.subarray(0, 96_000), 960);
    await client.until(() => client.tokens.length === 100);
    await cut(client);
    const next = await GatewayClient.open(small.port, {
      ...encode,
      resume: { token: client.opened.resumeToken, nextFrameIndex: 5 },
    });
    const from = next.opened.resumed!.nextFrameIndex;
    expect(from).toBeGreaterThan(80);
    await next.until(() => next.tokens.length > 0);
    expect(next.frames[0]).toEqual({
      kind: 'gap',
      firstFrameIndex: 5,
      frameCount: from - 5,
      reason: 'resume_lost',
    });
    expect(next.tokens[0]?.firstFrameIndex).toBe(from);
    await next.close();
    await small.gateway.close();
  });

  test('a second connection takes over from one that still stands', async () => {
    const client = await GatewayClient.open(port, encode);
    client.sendAudio(speech.subarray(0, 9600), 960);
    await client.until(() => client.tokens.length === 10);
    const next = await GatewayClient.open(port, {
      ...encode,
      resume: { token: client.opened.resumeToken, nextFrameIndex: 10 },
    });
    await expect(client.closed).resolves.toMatchObject({ code: 1006 });
    expect(next.opened.resumed).toEqual({ inputByteOffset: 9600, nextFrameIndex: 10 });
    await next.close();
  });

  test.each([
    ['an unknown token', (token: string) => `${token}x`],
    ['a token that was used', (token: string) => token],
  ])('%s opens a new session', async (_, change) => {
    const client = await GatewayClient.open(port, encode);
    const { resumeToken, sessionId } = client.opened;
    const taken = await GatewayClient.open(port, {
      ...encode,
      resume: { token: resumeToken, nextFrameIndex: 0 },
    });
    const next = await GatewayClient.open(port, {
      ...encode,
      resume: { token: change(resumeToken), nextFrameIndex: 0 },
    });
    expect(next.opened.resumed).toBeUndefined();
    expect(next.opened.sessionId).not.toBe(sessionId);
    await Promise.all([taken.close(), next.close()]);
  });

  test('another mode, or frames from the future, are refused, and the session stays', async () => {
    const client = await GatewayClient.open(port, encode);
    const resume = { token: client.opened.resumeToken, nextFrameIndex: 7 };
    for (const open of [
      { ...resynth, resume },
      { ...encode, resume },
    ]) {
      const other = await GatewayClient.connect(port);
      other.send({ type: 'open', version: 1, ...open });
      await expect(other.closed).resolves.toMatchObject({ code: 4403 });
    }
    client.sendAudio(speech.subarray(0, 960));
    expect((await client.flush()).totals.frames).toBe(2);
    await client.close();
  });

  test('one that fails while it resumes leaves the session to the connection that has it', async () => {
    const client = await GatewayClient.open(port, encode);
    const other = await GatewayClient.connect(port);
    const resume = { token: client.opened.resumeToken, nextFrameIndex: 0 };
    other.inOneWrite(() => {
      other.send({ type: 'open', version: 1, ...encode, resume });
      other.socket.send(Uint8Array.of(1, 0, 0, 0));
    });
    await expect(other.closed).resolves.toMatchObject({ code: 4402 });
    client.sendAudio(speech.subarray(0, 960));
    expect((await client.flush()).totals.frames).toBe(2);
    await client.close();
  });

  test('a session that was closed, or failed, cannot be resumed', async () => {
    const client = await GatewayClient.open(port, encode);
    client.socket.close();
    await client.closed;
    const next = await GatewayClient.open(port, {
      ...encode,
      resume: { token: client.opened.resumeToken, nextFrameIndex: 0 },
    });
    expect(next.opened.resumed).toBeUndefined();
    await next.close();
  });
});

test('a close in the middle of the input ends the session at once, with its totals', async () => {
  const client = await GatewayClient.open(port, encode);
  client.sendAudio(speech, 960);
  client.send({ type: 'close' });
  const { totals } = await client.waitFor('closed');
  await expect(client.closed).resolves.toEqual({ code: 1000, reason: '' });
  expect(accountedFrames(client.frames)).toBe(totals.frames);
  expect(totals.inputBytes).toBe(speech.length);
});
