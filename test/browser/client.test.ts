import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { CodecModel, decodeTokens, encodePcm } from '../../codec/index.js';
import { alignByCrossCorrelation, stoi } from '../../codec/quality/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { launchBrowser } from '../support/browser.js';
import { openClientPage, samplesOf } from '../support/clientPage.js';
import { startGateway } from '../support/testGateway.js';
import { fixtureUrl } from '../support/wavFixture.js';

let gateway: Gateway;
let port: number;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  ({ gateway, port } = await startGateway());
  browser = await launchBrowser({ microphone: fileURLToPath(fixtureUrl('speech-en-1.wav')) });
});
beforeEach(async () => {
  context = await browser.newContext();
  await context.grantPermissions(['microphone'], { origin: `http://127.0.0.1:${port}` });
  page = await context.newPage();
  await openClientPage(page, port);
});
afterEach(() => context.close());
afterAll(async () => {
  await browser.close();
  await gateway.close();
});

/** Microphone to speaker for so long, in one context; gives both as they were in the audio graph. */
const MICROPHONE_TO_SPEAKER = (durationMs: number, rate: number) => `(async () => {
  const session = await tessera.connect(streamUrl, { mode: 'resynth', input: { sampleRate: ${rate} } });
  const audioContext = new AudioContext({ sampleRate: ${rate} });
  const stream = await navigator.mediaDevices.getUserMedia(
    { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  const player = await session.play({ audioContext });
  const finish = await record(audioContext, audioContext.createMediaStreamSource(stream), player.node);
  await session.sendMicrophone(stream, { audioContext });
  await new Promise((resolve) => setTimeout(resolve, ${durationMs}));
  const { playback } = session.stats;
  const [sent, played] = finish();
  await session.close();
  return { sent, played, playback, state: session.state, tracks: stream.getTracks().map((track) => track.readyState) };
})()`;

interface Trip {
  readonly sent: string;
  readonly played: string;
  readonly playback: Record<string, number>;
  readonly state: string;
  readonly tracks: string[];
}

test('what is played is what the codec makes of the microphone', async () => {
  const model = await CodecModel.load({ provider: 'cpu' });
  const { sampleRate } = model.manifest;
  const trip = await page.evaluate<Trip>(MICROPHONE_TO_SPEAKER(6000, sampleRate));
  const sent = samplesOf(trip.sent);
  const played = samplesOf(trip.played);
  const pair = alignByCrossCorrelation(sent, played, sampleRate, 2000);
  const own = await codecAlone(model, sent);
  const ownStoi = stoi(sent, own, sampleRate);
  const heard = stoi(pair.reference, pair.degraded, sampleRate);
  expect(ownStoi).toBeGreaterThan(0.85);
  // A machine that stalls makes gaps, and the delay move; what is measured on an idle one is in docs/benchmarks/client.md.
  expect(heard).toBeGreaterThan(0.5 * ownStoi);
  expect(pair.lagSamples).toBeGreaterThan(model.manifest.delaySamples);
  expect(trip.playback['playedMs']).toBeGreaterThan(3000);
  expect(trip.state).toBe('closed');
  // A stream that the page gave stays the page's.
  expect(trip.tracks).toEqual(['live']);
  await model.close();
});

test('a file in a page gives the codes that it gives in the library', async () => {
  const wav = readFileSync(fixtureUrl('speech-de-1.wav'));
  const codes = await page.evaluate<number[]>(
    `(async () => {
    const session = await tessera.connect(streamUrl, { mode: 'encode', input: { format: 'wav' }, output: { framesPerPacket: 50 } });
    const all = [];
    session.on('tokens', ({ codes }) => all.push(...codes));
    const answer = await fetch('/speech.wav');
    session.sendBytes(new Uint8Array(await answer.arrayBuffer()));
    await session.flush();
    await session.close();
    return all;
  })()`.replace('/speech.wav', `data:audio/wav;base64,${wav.toString('base64')}`),
  );
  const client = await GatewayClient.open(port, {
    mode: 'encode',
    input: { format: 'wav' },
    output: { format: 'tokens', framesPerPacket: 50 },
  });
  client.sendAudio(wav, 16_000);
  await client.flush();
  await client.close();
  expect(codes).toEqual(client.tokens.flatMap((frame) => [...frame.codes]));
});

test('a user who refuses the microphone is told so, with a code', async () => {
  await context.clearPermissions();
  await context.grantPermissions([], { origin: `http://127.0.0.1:${port}` });
  const code = await page.evaluate<string>(`(async () => {
    const session = await tessera.connect(streamUrl);
    const code = await session.sendMicrophone().then(() => 'sent', (error) => error.code);
    await session.close();
    return code;
  })()`);
  expect(code).toBe('microphone_unavailable');
});

/** The same sound through the library. */
async function codecAlone(model: CodecModel, pcm: Float32Array): Promise<Float32Array> {
  const parts: number[] = [];
  const tokens = encodePcm(model, pcm);
  for await (const part of decodeTokens(model, tokens, { sampleCount: pcm.length })) parts.push(...part);
  return Float32Array.from(parts);
}
