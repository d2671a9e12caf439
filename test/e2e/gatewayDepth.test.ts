import { CodecModel, encodePcm } from '../../codec/index.js';
import { encodePcm as pcmBytes, type TokenBlock } from '../../protocol/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { startGateway } from '../support/testGateway.js';
import { readWavFixture } from '../support/wavFixture.js';

const QUANTIZERS = 8;

let gateway: Gateway;
let port: number;
let model: CodecModel;
let speech: Float32Array;

beforeAll(async () => {
  ({ gateway, port } = await startGateway());
  model = await CodecModel.load({ provider: 'cpu' });
  speech = readWavFixture('speech-en-1.wav').samples;
});

afterAll(async () => {
  await gateway.close();
  await model.close();
});

function input() {
  return { format: 'pcm_s16le', sampleRate: model.manifest.sampleRate } as const;
}

/** Codebooks of each frame. */
function depthsOf(blocks: readonly TokenBlock[]): number[] {
  return blocks.flatMap(({ frameCount, quantizers }) => new Array<number>(frameCount).fill(quantizers));
}

test('adaptive depth over the wire is that of the library, and packets end where it changes', async () => {
  const client = await GatewayClient.open(port, {
    mode: 'encode',
    input: input(),
    output: { format: 'tokens', framesPerPacket: 10 },
    bitrate: { maxQuantizers: QUANTIZERS, depth: 'adaptive' },
  });
  expect(client.opened.bitrate).toMatchObject({ quantizers: QUANTIZERS, depth: 'adaptive' });
  client.sendAudio(pcmBytes(speech, 'pcm_s16le'), 1920);
  await client.flush();
  await client.close();

  const expected: TokenBlock[] = [];
  const options = { quantizers: QUANTIZERS, depth: 'adaptive' } as const;
  for await (const block of encodePcm(model, speech, options)) expected.push(block);
  const depths = depthsOf(client.tokens);
  const wanted = depthsOf(expected);
  expect(depths).toHaveLength(wanted.length);
  expect(depths.filter((depth, frame) => depth !== wanted[frame]).length).toBeLessThan(wanted.length / 100);
  expect(new Set(depths).size).toBeGreaterThan(3);
  expect(Math.max(...depths)).toBe(QUANTIZERS);
  let frame = 0;
  for (const packet of client.tokens) {
    expect(packet.firstFrameIndex).toBe(frame);
    expect(packet.frameCount).toBeLessThanOrEqual(10);
    frame += packet.frameCount;
  }
});

test('a bitrate message turns it off and on, within its range', async () => {
  const client = await GatewayClient.open(port, {
    mode: 'encode',
    input: input(),
    output: { format: 'tokens' },
    bitrate: { maxQuantizers: QUANTIZERS },
  });
  expect(client.opened.bitrate.depth).toBeUndefined();
  const bytes = pcmBytes(speech, 'pcm_s16le');
  client.sendAudio(bytes.subarray(0, 96_000), 9600);
  await client.flush();
  expect(new Set(depthsOf(client.tokens))).toEqual(new Set([QUANTIZERS]));
  client.send({ type: 'bitrate', bitrate: { minQuantizers: 3, maxQuantizers: 5, depth: 'adaptive' } });
  expect(await client.waitFor('bitrate')).toMatchObject({
    minQuantizers: 3,
    quantizers: 5,
    depth: 'adaptive',
  });
  const before = client.tokens.length;
  client.sendAudio(bytes.subarray(96_000), 9600);
  await client.flush();
  const depths = depthsOf(client.tokens.slice(before));
  expect(Math.min(...depths)).toBe(3);
  expect(Math.max(...depths)).toBe(5);
  await client.close();
});

test('resynthesis with adaptive depth gives every sample', async () => {
  const client = await GatewayClient.open(port, {
    mode: 'resynth',
    input: input(),
    output: { format: 'pcm_s16le' },
    bitrate: { maxQuantizers: QUANTIZERS, depth: 'adaptive' },
  });
  client.sendAudio(pcmBytes(speech, 'pcm_s16le'), 32_768);
  await client.flush();
  let next = 0;
  for (const { firstSampleIndex, payload } of client.pcm) {
    expect(firstSampleIndex).toBe(next);
    next += payload.length / 2;
  }
  expect(next).toBe(speech.length);
  await client.close();
});
