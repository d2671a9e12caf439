import { CodecModel, decodeTokens, encodePcm } from '../../codec/index.js';
import {
  decodePcm,
  encodePcm as pcmBytes,
  ERROR_CODES,
  takeQuantizers,
  type ErrorCode,
  type OpenMessage,
} from '../../protocol/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { httpGet, prometheusSamples } from '../support/http.js';
import { collect, differenceDb, joinSamples } from '../support/streams.js';
import { startGateway } from '../support/testGateway.js';
import { codesByFrame } from '../support/tokenStreams.js';
import { readWavFixture } from '../support/wavFixture.js';

type Open = Omit<OpenMessage, 'type' | 'version'>;

const encode = (stream?: string): Open => ({
  mode: 'encode',
  input: { format: 'pcm_s16le', sampleRate: 24_000 },
  output: { format: 'tokens' },
  ...(stream === undefined ? {} : { publish: { stream } }),
});
const subscribe = (stream: string, more: Partial<Open> = {}): Open => ({
  mode: 'subscribe',
  stream,
  output: { format: 'tokens' },
  ...more,
});

let gateway: Gateway;
let port: number;
let speech: Uint8Array;

beforeAll(async () => {
  ({ gateway, port } = await startGateway({ maxSubscribersPerStream: 8, maxStreams: 2 }));
  const { samples } = readWavFixture('speech-de-1.wav');
  speech = pcmBytes(samples, 'pcm_s16le').subarray(0, 960 * 150);
});

afterAll(() => gateway.close());

const metric = async (name: string): Promise<number> =>
  prometheusSamples((await httpGet(port, '/metrics')).text).get(name) ?? 0;

/** The end that a connection with this `open` comes to. */
async function endOf(open: Open): Promise<string> {
  const client = await GatewayClient.connect(port);
  client.send({ type: 'open', version: 1, ...open });
  const { code, reason } = await client.closed;
  expect(code).toBe(ERROR_CODES[reason as ErrorCode].closeCode);
  const last = client.messages.at(-1);
  expect(last).toMatchObject({ type: 'error', code: reason });
  return `${reason}: ${last?.type === 'error' ? last.message : ''}`;
}

const relay = (stream: string, more: Partial<Open> = {}): Open => ({
  mode: 'relay',
  input: { format: 'tokens' },
  output: { format: 'tokens' },
  publish: { stream },
  ...more,
});

describe('tokens that a client has made', () => {
  test('reach subscribers cut to both ranges, with their gaps, and nothing is run or sent back', async () => {
    const model = await CodecModel.load({ provider: 'cpu' });
    const pcm = decodePcm(speech, 'pcm_s16le');
    const blocks = await collect(encodePcm(model, pcm, { quantizers: 6 }));
    const frames = codesByFrame(blocks);
    const maker = await GatewayClient.open(port, relay('made', { bitrate: { maxQuantizers: 4 } }));
    const runs = await metric('tessera_run_sessions_sum{graph="encoder"}');
    const fine = await GatewayClient.open(
      port,
      subscribe('made', { output: { format: 'tokens', framesPerPacket: 4 } }),
    );
    const coarse = await GatewayClient.open(port, subscribe('made', { bitrate: { maxQuantizers: 2 } }));
    const heard = await GatewayClient.open(port, subscribe('made', { output: { format: 'pcm_f32le' } }));
    const send = (from: number, to: number): void => {
      for (let frame = from; frame < to; frame += 1) {
        const codes = Uint16Array.from(frames[frame]!);
        maker.sendFrame({ kind: 'tokens', firstFrameIndex: frame, frameCount: 1, quantizers: 6, codes });
      }
    };
    send(0, 30);
    maker.sendFrame({ kind: 'gap', firstFrameIndex: 30, frameCount: 5, reason: 'input_lost' });
    send(35, 60);
    await maker.flush();
    maker.send({ type: 'bitrate', bitrate: { maxQuantizers: 1 } });
    expect(await maker.waitFor('bitrate')).toMatchObject({ quantizers: 1, fromFrameIndex: 60 });
    send(60, 80);
    expect((await maker.flush()).totals).toMatchObject({ frames: 80 });
    await maker.close();
    await Promise.all([fine, coarse, heard].map(({ closed }) => closed));

    const cut = (quantizers: (frame: number) => number): (number[] | undefined)[] =>
      frames
        .slice(0, 80)
        .map((codes, frame) => (frame >= 30 && frame < 35 ? undefined : codes!.slice(0, quantizers(frame))));
    expect(codesByFrame(fine.tokens)).toEqual(cut((frame) => (frame < 60 ? 4 : 1)));
    expect(codesByFrame(coarse.tokens)).toEqual(cut((frame) => (frame < 60 ? 2 : 1)));
    const gap = { firstFrameIndex: 30, frameCount: 5, reason: 'output_dropped' };
    expect([...fine.gaps, ...coarse.gaps]).toMatchObject([gap, gap]);
    // The decoder covers it: the sound has its whole length.
    const sound = joinSamples(heard.pcm.map(({ payload }) => decodePcm(payload, 'pcm_f32le')));
    expect(sound.length).toBe(80 * model.manifest.hop - model.manifest.decoderDelaySamples);
    expect(maker.frames).toEqual([]);
    expect(await metric('tessera_run_sessions_sum{graph="encoder"}')).toBe(runs);
    await model.close();
  });

  test.each([
    [{ ...relay('a'), input: { format: 'wav' } }, /Mode relay takes "tokens"/],
    [{ ...relay('a'), output: { format: 'pcm_s16le' } }, /Mode relay gives "tokens"/],
    [{ ...relay('a'), publish: undefined }, /Mode relay needs publish/],
    [{ ...encode('a'), input: { format: 'tokens' } }, /takes audio as input.format/],
  ] as const)('%j is refused', async (open, words) => {
    const end = await endOf(open);
    expect(end).toMatch(/^bad_options/);
    expect(end).toMatch(words);
  });
});

describe('a published stream', () => {
  test('reaches subscribers at their own rates and packet sizes, encoded once', async () => {
    const publisher = await GatewayClient.open(port, encode('talk'));
    const listeners = await Promise.all(
      [
        subscribe('talk'),
        subscribe('talk', { bitrate: { maxQuantizers: 2 } }),
        subscribe('talk', { output: { format: 'tokens', framesPerPacket: 4 } }),
      ].map((open) => GatewayClient.open(port, open)),
    );
    const before = await metric('tessera_run_sessions_sum{graph="encoder"}');
    expect([await metric('tessera_streams'), await metric('tessera_subscribers')]).toEqual([1, 3]);
    publisher.sendAudio(speech, 960);
    await publisher.flush();
    const runs = (await metric('tessera_run_sessions_sum{graph="encoder"}')) - before;
    const { totals } = await publisher.close();
    await Promise.all(listeners.map(({ closed }) => closed));

    // One session's work, however many listen.
    expect(runs).toBeGreaterThan(0);
    expect(runs).toBeLessThanOrEqual(totals.frames);
    const published = codesByFrame(publisher.tokens);
    expect(published).toHaveLength(totals.frames);
    const [all, coarse, gathered] = listeners.map(({ tokens }) => tokens);
    expect(codesByFrame(all!)).toEqual(published);
    expect(codesByFrame(coarse!)).toEqual(
      codesByFrame(publisher.tokens.map((each) => takeQuantizers(each, 2))),
    );
    expect(codesByFrame(gathered!)).toEqual(published);
    // The flush of the publisher sends the packet that was not full.
    expect(gathered!.map(({ frameCount }) => frameCount)).toEqual([
      ...Array.from({ length: Math.floor(totals.frames / 4) }, () => 4),
      ...(totals.frames % 4 === 0 ? [] : [totals.frames % 4]),
    ]);
    expect(listeners.map(({ gaps }) => gaps.length)).toEqual([0, 0, 0]);
  });

  test('ends for its subscribers in order when the publisher ends, and its name is free again', async () => {
    const publisher = await GatewayClient.open(port, encode('talk'));
    const listener = await GatewayClient.open(port, subscribe('talk', { output: { format: 'pcm_s16le' } }));
    publisher.sendAudio(speech.subarray(0, 9600), 960);
    await publisher.flush();
    await publisher.close();

    expect(await listener.closed).toEqual({ code: 4442, reason: 'stream_ended' });
    expect(listener.messages.map(({ type }) => type)).toEqual(['opened', 'closing', 'closed']);
    expect(listener.messages[2]).toMatchObject({ totals: { frames: 11, gapFrames: 0 } });
    const again = await GatewayClient.open(port, encode('talk'));
    await again.close();
  });

  test('begins for late subscribers at the live frame; as PCM it is what the tokens decode to', async () => {
    const publisher = await GatewayClient.open(port, encode('talk'));
    publisher.sendAudio(speech.subarray(0, 960 * 50), 960);
    await publisher.until(() => publisher.tokens.length === 50);
    const late = await GatewayClient.open(port, subscribe('talk'));
    const heard = await GatewayClient.open(port, subscribe('talk', { output: { format: 'pcm_f32le' } }));
    expect([late.opened.firstFrameIndex, heard.opened.firstFrameIndex]).toEqual([50, 50]);
    publisher.sendAudio(speech.subarray(960 * 50), 960);
    await publisher.flush();
    const { totals } = await publisher.close();
    await Promise.all([late.closed, heard.closed]);

    expect(late.tokens[0]?.firstFrameIndex).toBe(50);
    expect(codesByFrame(late.tokens).slice(50)).toEqual(codesByFrame(publisher.tokens).slice(50));
    const { hop, decoderDelaySamples } = heard.opened.model;
    expect(heard.pcm[0]?.firstSampleIndex).toBe(50 * hop);
    const samples = joinSamples(heard.pcm.map(({ payload }) => decodePcm(payload, 'pcm_f32le')));
    expect(samples).toHaveLength((totals.frames - 50) * hop - decoderDelaySamples);
    const model = await CodecModel.load({ provider: 'cpu' });
    const blocks = late.tokens.map((each) => ({ ...each, firstFrameIndex: each.firstFrameIndex - 50 }));
    const decoded = joinSamples(await collect(decodeTokens(model, blocks)));
    await model.close();
    expect(differenceDb(decoded.subarray(0, samples.length), samples)).toBeLessThan(-60);
  });

  test('takes a new range of one subscriber without touching others', async () => {
    const publisher = await GatewayClient.open(port, encode('talk'));
    const [one, other] = await Promise.all([
      GatewayClient.open(port, subscribe('talk', { output: { format: 'tokens', framesPerPacket: 3 } })),
      GatewayClient.open(port, subscribe('talk')),
    ]);
    publisher.sendAudio(speech.subarray(0, 960 * 40), 960);
    await other.until(() => other.tokens.length === 40);
    one.send({ type: 'bitrate', bitrate: { maxQuantizers: 3 } });
    expect(await one.waitFor('bitrate')).toMatchObject({ quantizers: 3, fromFrameIndex: 40 });
    publisher.sendAudio(speech.subarray(960 * 40, 960 * 60), 960);
    await publisher.flush();
    await publisher.close();
    await Promise.all([one.closed, other.closed]);
    const full = publisher.opened.model.quantizers;
    expect(codesByFrame(one.tokens).map((codes) => codes?.length)).toEqual(
      codesByFrame(publisher.tokens).map((_, frame) => (frame < 40 ? full : 3)),
    );
    expect(codesByFrame(other.tokens)).toEqual(codesByFrame(publisher.tokens));
  });

  test('goes on for a subscriber whose connection broke, with what it missed', async () => {
    const publisher = await GatewayClient.open(port, encode('talk'));
    const open = subscribe('talk');
    const first = await GatewayClient.open(port, open);
    publisher.sendAudio(speech.subarray(0, 960 * 20), 960);
    await first.until(() => first.tokens.length === 20);
    first.socket.terminate();
    publisher.sendAudio(speech.subarray(960 * 20, 960 * 40), 960);
    await publisher.until(() => publisher.tokens.length === 40);
    const resume = { token: first.opened.resumeToken, nextFrameIndex: 20 };
    const second = await GatewayClient.open(port, { ...open, resume });
    expect(second.opened.resumed).toEqual({ inputByteOffset: 0, nextFrameIndex: 20 });
    publisher.sendAudio(speech.subarray(960 * 40, 960 * 60), 960);
    await publisher.flush();
    await publisher.close();
    await second.closed;
    expect(codesByFrame([...first.tokens, ...second.tokens])).toEqual(codesByFrame(publisher.tokens));
  });
});

describe('refused', () => {
  test('what contradicts itself', async () => {
    for (const [open, sentence] of [
      [{ ...subscribe('a'), stream: undefined }, /needs stream/],
      [{ ...subscribe('a'), input: { format: 'tokens' } }, /takes no input/],
      [{ ...encode(), stream: 'a' }, /takes no stream/],
      [
        { ...encode('a'), mode: 'resynth', output: { format: 'pcm_s16le' } },
        /Only modes encode and relay can publish/,
      ],
      [{ ...encode(), input: undefined }, /needs input/],
    ] as [Open, RegExp][]) {
      expect(await endOf(open)).toMatch(new RegExp(`bad_options: .*${sentence.source}`));
    }
    for (const name of ['', 'a b', '../x', 'é', 'x'.repeat(65)]) {
      expect(await endOf(encode(name))).toMatch(/^bad_message: Field "publish.stream" must match/);
      expect(await endOf(subscribe(name))).toMatch(/^bad_message: Field "stream" must match/);
    }
  });

  test('a stream that nobody publishes, a name that is taken, and more than the limits', async () => {
    expect(await endOf(subscribe('nothing'))).toMatch(/^no_such_stream/);
    expect(await endOf(subscribe('nothing', { output: { format: 'pcm_s16le' } }))).toMatch(/^no_such_stream/);
    const publishers = [
      await GatewayClient.open(port, encode('one')),
      await GatewayClient.open(port, encode('two')),
    ];
    expect(await endOf(encode('one'))).toMatch(/^stream_taken/);
    expect(await endOf(encode('three'))).toMatch(/^at_capacity: All 2 streams/);
    const listeners = await Promise.all(
      Array.from({ length: 8 }, () => GatewayClient.open(port, subscribe('one'))),
    );
    expect(await endOf(subscribe('one'))).toMatch(/^at_capacity: .* 8 subscribers/);
    // Who leaves makes room.
    await listeners[0]!.close();
    await (await GatewayClient.open(port, subscribe('one'))).close();
    await Promise.all(publishers.map((each) => each.close()));
    await Promise.all(listeners.map(({ closed }) => closed));
    expect([await metric('tessera_streams'), await metric('tessera_subscribers')]).toEqual([0, 0]);
  });

  test('binary frames of a subscriber, which end only its own session', async () => {
    const publisher = await GatewayClient.open(port, encode('talk'));
    const [bad, good] = await Promise.all([
      GatewayClient.open(port, subscribe('talk')),
      GatewayClient.open(port, subscribe('talk')),
    ]);
    bad.sendFrame({ kind: 'gap', firstFrameIndex: 0, frameCount: 1, reason: 'input_lost' });
    expect(await bad.closed).toEqual({ code: 4401, reason: 'bad_frame' });
    publisher.sendAudio(speech.subarray(0, 9600), 960);
    await publisher.flush();
    await publisher.close();
    await good.closed;
    expect(codesByFrame(good.tokens)).toEqual(codesByFrame(publisher.tokens));
  });
});
