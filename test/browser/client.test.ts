import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { CodecModel, decodeTokens, encodePcm } from '../../codec/index.js';
import { alignByCrossCorrelation, stoi } from '../../codec/quality/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { GatewayClient } from '../support/gatewayClient.js';
import { launchBrowser } from '../support/browser.js';
import { openClientPage, samplesOf } from '../../scripts/bench/clientPage.js';
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
  const received = [];
  session.on('audio', (chunk) => received.push(chunk.samples));
  const finish = await record(audioContext, audioContext.createMediaStreamSource(stream), player.node);
  await session.sendMicrophone(stream, { audioContext });
  await new Promise((resolve) => setTimeout(resolve, ${durationMs}));
  const { playback } = session.stats;
  const [sent, played] = finish();
  await session.close();
  const all = Float32Array.from(received.flatMap((samples) => [...samples]));
  const bytes = Array.from(new Uint8Array(all.buffer), (byte) => String.fromCharCode(byte));
  return { sent, played, received: btoa(bytes.join('')), playback, state: session.state, tracks: stream.getTracks().map((track) => track.readyState) };
})()`;

interface Trip {
  readonly sent: string;
  readonly played: string;
  readonly received: string;
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
  const ownStoi = stoi(sent, await codecAlone(model, sent), sampleRate);
  expect(ownStoi).toBeGreaterThan(0.85);
  // The way there and back: nothing is lost on it, however slow the machine is.
  const back = alignByCrossCorrelation(sent, samplesOf(trip.received), sampleRate, 3000);
  expect(stoi(back.reference, back.degraded, sampleRate)).toBeGreaterThan(0.95 * ownStoi);
  // To the speaker: a machine that stalls makes gaps, but what is not made up is what came, to the bit.
  const received = runsOf(samplesOf(trip.received));
  const heard = [...runsOf(played)];
  expect(heard.length).toBeGreaterThan(1000);
  expect(heard.filter((run) => received.has(run)).length / heard.length).toBeGreaterThan(0.1);
  expect(trip.playback['playedMs']).toBeGreaterThan(0);
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

test('tokens decoded in the page sound as those that the server decodes', async () => {
  const wav = readFileSync(fixtureUrl('speech-de-1.wav')).toString('base64');
  const here = `(async () => {
    const progress = [];
    const audioContext = new AudioContext();
    const session = await tessera.connect(streamUrl, { mode: 'encode', input: { format: 'wav' }, output: { framesPerPacket: 10 } });
    const samples = [];
    const local = new Promise((resolve) => session.on('audio', (chunk) => {
      samples.push(...chunk.samples);
      if (session.expected !== undefined && chunk.firstSampleIndex + chunk.samples.length >= session.expected) resolve();
    }));
    await session.play({ decode: 'local', audioContext, live: false, onProgress: (step) => progress.push(step) });
    const bytes = new Uint8Array(await (await fetch('data:audio/wav;base64,${wav}')).arrayBuffer());
    session.sendBytes(bytes);
    const { frames } = await session.flush();
    session.expected = frames * session.model.hop - session.model.decoderDelaySamples;
    await Promise.race([local, new Promise((resolve) => setTimeout(resolve, 20000))]);
    await session.close();
    const server = await tessera.connect(streamUrl, { mode: 'resynth', input: { format: 'wav' }, output: { format: 'pcm_f32le' } });
    const theirs = [];
    server.on('audio', (chunk) => theirs.push(...chunk.samples));
    server.sendBytes(bytes);
    await server.flush();
    await server.close();
    const encode = (list) => btoa(Array.from(new Uint8Array(Float32Array.from(list).buffer), (byte) => String.fromCharCode(byte)).join(''));
    return { local: encode(samples.slice(0, theirs.length)), server: encode(theirs), progress };
  })()`;
  const first = await page.evaluate<{ local: string; server: string; progress: object[] }>(here);
  const [local, server] = [samplesOf(first.local), samplesOf(first.server)];
  expect(local.length).toBe(server.length);
  let difference = 0;
  let power = 0;
  for (let at = 0; at < server.length; at += 1) {
    difference += (local[at]! - server[at]!) ** 2;
    power += server[at]! ** 2;
  }
  expect(10 * Math.log10(difference / power)).toBeLessThan(-50);
  expect(first.progress.length).toBeGreaterThan(0);
  // The second time the browser has the model.
  const second = await page.evaluate<{ progress: object[] }>(here);
  expect(second.progress).toEqual([]);
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

/** Every run of 8 samples that is not silent, as text. */
function runsOf(samples: Float32Array): Set<string> {
  const runs = new Set<string>();
  for (let at = 0; at + 8 <= samples.length; at += 1) {
    if (Math.abs(samples[at]!) > 0.01) runs.add(samples.subarray(at, at + 8).join());
  }
  return runs;
}

/** The same sound through the library. */
async function codecAlone(model: CodecModel, pcm: Float32Array): Promise<Float32Array> {
  const parts: number[] = [];
  const tokens = encodePcm(model, pcm);
  for await (const part of decodeTokens(model, tokens, { sampleCount: pcm.length })) parts.push(...part);
  return Float32Array.from(parts);
}
