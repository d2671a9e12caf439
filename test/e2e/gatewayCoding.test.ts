import { TokenDecoder, TokenEncoder, type EntropyTables } from '../../codec/entropy/index.js';
import { loadEntropyTables } from '../../codec/entropyTables.js';
import {
  encodePcm as pcmBytes,
  sliceFrames,
  takeQuantizers,
  type CodedFrame,
  type TokenBlock,
} from '../../protocol/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { joinBlocks } from '../support/streams.js';
import { startGateway } from '../support/testGateway.js';
import { readWavFixture } from '../support/wavFixture.js';

const QUANTIZERS = 6;

describe('entropy-coded tokens over a real socket', () => {
  let gateway: Gateway;
  let port: number;
  let tables: EntropyTables;
  let bytes: Uint8Array;
  let input: { format: 'pcm_s16le'; sampleRate: number };
  let packed: TokenBlock;

  beforeAll(async () => {
    ({ gateway, port } = await startGateway());
    tables = (await loadEntropyTables())!;
    const { samples, sampleRate } = readWavFixture('speech-it-1.wav');
    bytes = pcmBytes(samples, 'pcm_s16le');
    input = { format: 'pcm_s16le', sampleRate };
    packed = joinBlocks((await encode({ format: 'tokens', framesPerPacket: 10 })).tokens);
  });
  afterAll(() => gateway.close());

  async function encode(output: Parameters<typeof GatewayClient.open>[1]['output']): Promise<GatewayClient> {
    const client = await GatewayClient.open(port, {
      mode: 'encode',
      input,
      output,
      bitrate: { maxQuantizers: QUANTIZERS },
    });
    client.sendAudio(bytes, 8000);
    await client.flush();
    await client.close();
    return client;
  }

  const codedOf = (client: GatewayClient): CodedFrame[] =>
    client.frames.filter((frame) => frame.kind === 'coded');

  function decodeAll(frames: readonly CodedFrame[]): TokenBlock {
    const decoder = new TokenDecoder(tables);
    return joinBlocks(frames.flatMap((frame) => decoder.decode(frame)));
  }

  test.each([1, 10])('are the codes that packed ones are, in packets of %i', async (framesPerPacket) => {
    const client = await encode({ format: 'tokens', coding: 'entropy', framesPerPacket });
    expect(client.opened.model.entropyDigest).toMatch(/^[0-9a-f]{64}$/);
    const frames = codedOf(client);
    expect(client.tokens).toHaveLength(0);
    expect(decodeAll(frames)).toEqual(packed);
    // Every hundredth frame at the latest one can begin to read.
    const alone = frames
      .filter(({ isContinued }) => !isContinued)
      .map(({ firstFrameIndex }) => firstFrameIndex);
    expect(alone).toEqual([0, 100, 200]);
  });

  test('windows of so many bits stand alone, fill what they may, and are no longer', async () => {
    const bitsPerPacket = 800;
    const frames = codedOf(await encode({ format: 'tokens', coding: 'entropy', bitsPerPacket }));
    expect(decodeAll(frames)).toEqual(packed);
    expect(new Set(frames.map(({ frameCount }) => frameCount)).size).toBeGreaterThan(1);
    for (const { isContinued, segments } of frames) {
      expect(isContinued).toBe(false);
      expect(8 * segments[0]!.length).toBeLessThanOrEqual(bitsPerPacket);
    }
    expect(frames.length).toBeLessThan(
      (1.1 * 8 * frames.reduce((sum, { segments }) => sum + segments[0]!.length, 0)) / bitsPerPacket + 2,
    );
  });

  test('go in as well, and give the sound of packed ones; a gap needs a packet that stands alone', async () => {
    const decode = async (coding: 'packed' | 'entropy', continues: boolean): Promise<GatewayClient> => {
      const client = await GatewayClient.open(port, {
        mode: 'decode',
        input: { format: 'tokens', coding },
        output: { format: 'pcm_s16le', framesPerPacket: 50 },
      });
      const encoder = new TokenEncoder(tables);
      const blocks = [0, 50, 100, 150, 200].flatMap((at) => sliceFrames(packed, at, at + 50) ?? []);
      for (const block of blocks) {
        if (coding === 'packed') client.sendFrame({ kind: 'tokens', ...block });
        else client.sendFrame({ kind: 'coded', ...encoder.encode([block], { isFresh: !continues }) });
      }
      await client.flush();
      await client.close();
      return client;
    };
    const soundOf = (client: GatewayClient): string =>
      Buffer.concat(client.pcm.map(({ payload }) => payload)).toString('base64');
    const expected = soundOf(await decode('packed', false));
    expect(soundOf(await decode('entropy', false))).toBe(expected);
    expect(soundOf(await decode('entropy', true))).toBe(expected);
  });

  test('what does not fit what was asked for is refused', async () => {
    const open = {
      mode: 'decode',
      input: { format: 'tokens', coding: 'entropy' },
      output: { format: 'pcm_s16le' },
    } as const;
    const block = takeQuantizers(sliceFrames(packed, 0, 2)!, 1);
    const plain = await GatewayClient.open(port, open);
    plain.sendFrame({ kind: 'tokens', ...block });
    await expect(plain.closed).resolves.toMatchObject({ code: 4401, reason: 'bad_frame' });

    const behindGap = await GatewayClient.open(port, open);
    const encoder = new TokenEncoder(tables);
    encoder.encode([block], { isFresh: true });
    const continued = encoder.encode([{ ...block, firstFrameIndex: 2 }], { isFresh: false });
    behindGap.sendFrame({ kind: 'gap', firstFrameIndex: 0, frameCount: 2, reason: 'input_lost' });
    behindGap.sendFrame({ kind: 'coded', ...continued });
    await expect(behindGap.closed).resolves.toMatchObject({ code: 4412, reason: 'bad_tokens' });

    const pcm = await GatewayClient.connect(port);
    pcm.send({
      type: 'open',
      version: 1,
      mode: 'resynth',
      input,
      output: { format: 'pcm_s16le', coding: 'entropy' },
    });
    await expect(pcm.closed).resolves.toMatchObject({ code: 4403, reason: 'bad_options' });

    const window = await GatewayClient.connect(port);
    window.send({
      type: 'open',
      version: 1,
      mode: 'encode',
      input,
      output: { format: 'tokens', bitsPerPacket: 100 },
    });
    await expect(window.closed).resolves.toMatchObject({ code: 4403, reason: 'bad_options' });
  });
});
