import { readFileSync } from 'node:fs';
import { CodecModel, decodeTokens, encodePcm, readAudio } from '../../codec/index.js';
import {
  decodePcm,
  encodePcm as pcmBytes,
  sliceFrames,
  takeQuantizers,
  type PcmFormat,
  type TokenBlock,
} from '../../protocol/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { startGateway } from '../support/testGateway.js';
import { differingCodes } from '../support/tokenStreams.js';
import { fixtureUrl, readWavFixture } from '../support/wavFixture.js';

/** The project's promise: fewer than one code in a thousand may differ, for near-ties of float arithmetic. */
const MAX_DIFFERING = 0.001;
/** -60 dB. */
const MAX_SAMPLE_DIFFERENCE = 0.001;

const tokens = { format: 'tokens' } as const;

describe('what the gateway gives is what the library gives', () => {
  let gateway: Gateway;
  let port: number;
  let model: CodecModel;
  let speech: Float32Array;
  let expected: TokenBlock[];

  beforeAll(async () => {
    ({ gateway, port } = await startGateway());
    model = await CodecModel.load({ provider: 'cpu' });
    speech = readWavFixture('speech-en-1.wav').samples;
    expected = await blocksOf(encodePcm(model, speech));
  });

  afterAll(async () => {
    await gateway.close();
    await model.close();
  });

  test.each([
    ['20 ms', [960]],
    ['60 ms', [2880]],
    ['odd pieces that cut samples in two', [1, 7, 959, 4001]],
    ['pieces of 32 KiB', [32_768]],
  ])('PCM in %s gives the codes of the whole recording', async (_, sizes) => {
    const client = await GatewayClient.open(port, {
      mode: 'encode',
      input: { format: 'pcm_s16le', sampleRate: model.manifest.sampleRate },
      output: tokens,
    });
    client.sendAudio(pcmBytes(speech, 'pcm_s16le'), ...sizes);
    const { totals } = await client.flush();

    expect(differingCodes(client.tokens, expected)).toBeLessThan(MAX_DIFFERING);
    const { hop, decoderDelaySamples } = model.manifest;
    expect(totals).toMatchObject({
      inputBytes: 2 * speech.length,
      samples: speech.length,
      frames: Math.ceil((speech.length + decoderDelaySamples) / hop),
      gapFrames: 0,
    });
    expect((await client.close()).totals).toEqual(totals);
    await expect(client.closed).resolves.toEqual({ code: 1000, reason: '' });
  });

  test('a frame is sent as soon as its samples are there', async () => {
    const client = await GatewayClient.open(port, {
      mode: 'encode',
      input: { format: 'pcm_f32le', sampleRate: model.manifest.sampleRate },
      output: tokens,
    });
    const frameBytes = 4 * model.manifest.hop;
    const bytes = pcmBytes(speech, 'pcm_f32le');
    for (let frame = 0; frame < 5; frame += 1) {
      client.sendAudio(bytes.subarray(frame * frameBytes, (frame + 1) * frameBytes));
      // Nothing else is sent until it has come: the test would hang if the server waited for more.
      await client.until(() => client.tokens.length === frame + 1);
    }
    expect(client.tokens.map((packet) => packet.firstFrameIndex)).toEqual([0, 1, 2, 3, 4]);
    await client.close();
  });

  test('stereo at 48 kHz is mixed and resampled as the library does it', async () => {
    const stereo = Float32Array.from({ length: 4 * speech.length }, (_, index) => {
      const sample = speech[Math.floor(index / 4)] ?? 0;
      return index % 2 === 0 ? sample / 2 : sample / 4;
    });
    const bytes = pcmBytes(stereo, 'pcm_f32le');
    const client = await GatewayClient.open(port, {
      mode: 'encode',
      input: { format: 'pcm_f32le', sampleRate: 48_000, channels: 2 },
      output: tokens,
    });
    client.sendAudio(bytes, 4096, 100, 7);
    await client.flush();
    const whole = await GatewayClient.open(port, {
      mode: 'encode',
      input: { format: 'wav' },
      output: tokens,
    });
    whole.sendAudio(floatWav(bytes, 48_000, 2), 65_536);
    await whole.flush();

    expect(client.tokens.length).toBeGreaterThan(200);
    expect(differingCodes(client.tokens, whole.tokens)).toBeLessThan(MAX_DIFFERING);
    await Promise.all([client.close(), whole.close()]);
  });

  test('a WAV file gives the codes of its samples', async () => {
    const client = await GatewayClient.open(port, {
      mode: 'encode',
      input: { format: 'wav' },
      output: tokens,
    });
    client.sendAudio(readFileSync(fixtureUrl('speech-en-1.wav')), 1000);
    await client.flush();
    expect(differingCodes(client.tokens, expected)).toBeLessThan(MAX_DIFFERING);
    await client.close();
  });

  test('chunks behind the samples of a WAV file are passed over, even when they come late', async () => {
    const client = await GatewayClient.open(port, {
      mode: 'encode',
      input: { format: 'wav' },
      output: tokens,
    });
    client.sendAudio(readFileSync(fixtureUrl('speech-en-1.wav')), 10_000);
    const frames = expected.reduce((sum, { frameCount }) => sum + frameCount, 0);
    // The last frames need the flush.
    await client.until(() => client.tokens.length >= frames - 2);
    client.sendAudio(Buffer.concat([Buffer.from('LIST\xc8\0\0\0', 'latin1'), Buffer.alloc(200, 'x')]), 50);
    await client.flush();
    expect(differingCodes(client.tokens, expected)).toBeLessThan(MAX_DIFFERING);
    await client.close();
  });

  test('an Ogg Opus file, decoded by ffmpeg, gives the codes that the library has for it', async () => {
    const url = fixtureUrl('speech-en-1.opus');
    const samples = await readAudio(url.pathname, { sampleRate: model.manifest.sampleRate });
    const fromLibrary = await blocksOf(encodePcm(model, samples));
    const client = await GatewayClient.open(port, {
      mode: 'encode',
      input: { format: 'container' },
      output: { format: 'tokens', framesPerPacket: 10 },
    });
    client.sendAudio(readFileSync(url), 3000);
    await client.flush();
    expect(differingCodes(client.tokens, fromLibrary)).toBeLessThan(MAX_DIFFERING);
    await client.close();
  });

  test('three codebooks are the first three of all, in packets of five frames', async () => {
    const client = await GatewayClient.open(port, {
      mode: 'encode',
      input: { format: 'wav' },
      output: { format: 'tokens', framesPerPacket: 5 },
      bitrate: { maxQuantizers: 3 },
    });
    expect(client.opened).toMatchObject({ framesPerPacket: 5, bitrate: { quantizers: 3 } });
    client.sendAudio(readFileSync(fixtureUrl('speech-en-1.wav')), 65_536);
    await client.flush();
    expect(client.tokens.every((packet) => packet.quantizers === 3)).toBe(true);
    expect(client.tokens.slice(0, -1).every((packet) => packet.frameCount === 5)).toBe(true);
    const coarse = expected.map((block) => takeQuantizers(block, 3));
    expect(differingCodes(client.tokens, coarse)).toBeLessThan(MAX_DIFFERING);
    await client.close();
  });

  test('resynth gives the library’s audio, sample for sample in time and length', async () => {
    const client = await GatewayClient.open(port, {
      mode: 'resynth',
      input: { format: 'pcm_s16le', sampleRate: model.manifest.sampleRate },
      output: { format: 'pcm_f32le' },
      bitrate: { maxQuantizers: 6 },
    });
    client.sendAudio(pcmBytes(speech, 'pcm_s16le'), 960);
    await client.flush();
    const heard = placeSamples(client, 'pcm_f32le');
    const wanted = await libraryAudio(expected.map((block) => takeQuantizers(block, 6)));
    expect(heard.length).toBe(speech.length);
    expect(largestDifference(heard, wanted)).toBeLessThan(MAX_SAMPLE_DIFFERENCE);
    await client.close();
  });

  test('decode gives the library’s audio for tokens, in 16 bits', async () => {
    const client = await GatewayClient.open(port, {
      mode: 'decode',
      input: { format: 'tokens' },
      output: { format: 'pcm_s16le', framesPerPacket: 3 },
    });
    for (const block of expected) {
      for (let at = 0; at < block.frameCount; at += 7) {
        const frameCount = Math.min(7, block.frameCount - at);
        const part = sliceFrames(block, block.firstFrameIndex + at, block.firstFrameIndex + at + frameCount);
        if (part) client.sendFrame({ kind: 'tokens', ...part });
      }
    }
    const { totals } = await client.flush();
    const heard = placeSamples(client, 'pcm_s16le');
    expect(heard.length).toBe(totals.samples);
    const wanted = await libraryAudio(expected);
    expect(heard.length).toBeGreaterThanOrEqual(wanted.length);
    expect(largestDifference(heard.subarray(0, wanted.length), wanted)).toBeLessThan(MAX_SAMPLE_DIFFERENCE);
    await client.close();
  });

  test('many sessions at once, each with its own speech, get their own codes', async () => {
    const names = ['de', 'it', 'ja', 'pt', 'th'].map((language) => `speech-${language}-1.wav`);
    await Promise.all(
      names.map(async (name, index) => {
        const { samples } = readWavFixture(name);
        const client = await GatewayClient.open(port, {
          mode: 'encode',
          input: { format: 'pcm_f32le', sampleRate: model.manifest.sampleRate },
          output: tokens,
        });
        client.sendAudio(pcmBytes(samples, 'pcm_f32le'), 1920 + 400 * index);
        await client.flush();
        const alone = await blocksOf(encodePcm(model, samples));
        expect(differingCodes(client.tokens, alone)).toBeLessThan(MAX_DIFFERING);
        await client.close();
      }),
    );
  });

  async function libraryAudio(blocks: TokenBlock[]): Promise<Float32Array> {
    const pieces: number[] = [];
    async function* source(): AsyncGenerator<TokenBlock> {
      for (const block of blocks) yield await Promise.resolve(block);
    }
    for await (const piece of decodeTokens(model, source(), { sampleCount: speech.length }))
      pieces.push(...piece);
    return Float32Array.from(pieces);
  }
});

async function blocksOf(source: AsyncIterable<TokenBlock>): Promise<TokenBlock[]> {
  const blocks: TokenBlock[] = [];
  for await (const block of source) blocks.push(block);
  return blocks;
}

/** The PCM of a session, each packet at the place that it names; they must follow each other. */
function placeSamples(client: GatewayClient, format: PcmFormat): Float32Array {
  const pieces: number[] = [];
  for (const packet of client.pcm) {
    expect(packet.firstSampleIndex).toBe(pieces.length);
    pieces.push(...decodePcm(packet.payload, format));
  }
  return Float32Array.from(pieces);
}

function largestDifference(one: Float32Array, other: Float32Array): number {
  expect(one.length).toBe(other.length);
  return one.reduce((largest, sample, at) => Math.max(largest, Math.abs(sample - (other[at] ?? 0))), 0);
}

function floatWav(data: Uint8Array, sampleRate: number, channels: number): Uint8Array {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + data.length, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(3, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(4 * channels * sampleRate, 28);
  header.writeUInt16LE(4 * channels, 32);
  header.writeUInt16LE(32, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}
