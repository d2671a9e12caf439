import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { alignByCrossCorrelation, CodecModel, decodeWhole, encodePcm, stoi } from '../../codec/index.js';
import { MODEL_OPTION } from './benchOptions.js';
import { openClientPage, samplesOf } from './clientPage.js';
import { measureReconnect } from './clientReconnect.js';
import { describeCommand, describeMachine, describeOtherLoad, percentile } from './machine.js';
import { ServerProcess } from './serverProcess.js';

/** Microphone to speaker in one page, and decoding in it: quality, delay, speed. Prints docs/benchmarks/client.md. */
const top = new URL('../../../', import.meta.url);
const { values } = parseArgs({ options: { ...MODEL_OPTION, seconds: { type: 'string', default: '20' } } });
const serverOptions = ['--model', values.model, '--max-sessions', '8'];
const microphone = fileURLToPath(new URL('test/fixtures/speech-en-1.wav', top));
const executablePath = process.env['TESSERA_CHROMIUM'] ?? '/usr/bin/chromium';
if (!existsSync(executablePath)) throw new Error('There is no Chromium: scripts/chromium.sh installs it');
/** Of tokens that are encoded in the page. */
const FRAMES_PER_PACKET = 2;
const load = describeOtherLoad();
const model = await CodecModel.load({ model: values.model, provider: 'cpu' });
const { sampleRate } = model.manifest;
const server = await ServerProcess.start(serverOptions);
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-audio-capture=${microphone}`,
  ],
});
try {
  const context = await browser.newContext({ permissions: ['microphone'] });
  const page = await context.newPage();
  await openClientPage(page, Number(new URL(server.url).port));
  const trip = await page.evaluate<{ sent: string; played: string }>(`(async () => {
    const { session, finish } = await startTrip(${sampleRate});
    await new Promise((resolve) => setTimeout(resolve, ${1000 * Number(values.seconds)}));
    const [sent, played] = finish();
    await session.close();
    return { sent, played };
  })()`);
  const sent = samplesOf(trip.sent);
  const played = samplesOf(trip.played);
  const ownStoi = stoi(sent, await decodeWhole(model, encodePcm(model, sent), sent.length), sampleRate);
  const whole = alignByCrossCorrelation(sent, played, sampleRate, 1000);
  const heardStoi = stoi(whole.reference, whole.degraded, sampleRate);
  const delaysMs: number[] = [];
  for (let at = 0; at + sampleRate <= sent.length; at += sampleRate) {
    const lag = alignByCrossCorrelation(
      sent.slice(at, at + sampleRate),
      played.slice(at, at + sampleRate),
      sampleRate,
      400,
    ).lagSamples;
    if (lag > 0) delaysMs.push((1000 * lag) / sampleRate);
  }
  const wav = readFileSync(microphone);
  const speed = await page.evaluate<number>(`(async () => {
    const session = await tessera.connect(streamUrl, { mode: 'encode', input: { format: 'wav' } });
    const player = await session.play({ decode: 'local', live: false });
    let samples = 0;
    let firstMs;
    let lastMs;
    session.on('audio', (chunk) => {
      lastMs = performance.now();
      if (firstMs === undefined) firstMs = lastMs;
      else samples += chunk.samples.length;
    });
    const wav = 'data:audio/wav;base64,${wav.toString('base64')}';
    session.sendBytes(new Uint8Array(await (await fetch(wav)).arrayBuffer()));
    const { frames } = await session.flush();
    while (samples < (frames - 1) * session.model.hop) await new Promise((resolve) => setTimeout(resolve, 50));
    player.stop();
    await session.close();
    return samples / session.model.sampleRate / ((lastMs - firstMs) / 1000);
  })()`);
  const encoding = await page.evaluate<{ speed: number; bitsPerSecond: number }>(`(async () => {
    const session = await tessera.connect(streamUrl, { mode: 'decode', input: { coding: 'entropy' } });
    const encoding = await session.encodeLocally({ bitrate: { maxBitsPerSecond: 3000 }, framesPerPacket: ${FRAMES_PER_PACKET} });
    const audioContext = new AudioContext({ sampleRate: session.model.sampleRate });
    const sound = await audioContext.decodeAudioData(
      await (await fetch('data:audio/wav;base64,${wav.toString('base64')}')).arrayBuffer());
    const before = session.stats.bytesSent;
    session.send(sound.getChannelData(0));
    await session.flush();
    const bitsPerSecond = 8 * (session.stats.bytesSent - before) / sound.duration;
    const { speed } = encoding;
    await session.close();
    return { speed, bitsPerSecond };
  })()`);
  const reconnect = await measureReconnect(await context.newPage(), sampleRate, serverOptions);
  const size = gzipSync(readFileSync(new URL('dist/client/tessera.js', top)), { level: 9 }).length;
  process.stdout.write(`# The client in a browser

${describeMachine()}; ${load}. ${describeCommand('bench:client')}

| what | figure |
|---|---|
| STOI of what is played / of the codec alone | ${heardStoi.toFixed(3)} / ${ownStoi.toFixed(3)} |
| microphone to speaker in the audio graph, median of ${delaysMs.length} seconds (95%) | ${percentile(delaysMs, 0.5).toFixed(0)} ms (${percentile(delaysMs, 0.95).toFixed(0)} ms) |
| decoding in the page, one frame a run, WebAssembly on one thread | ${speed.toFixed(1)} times real time |
| encoding in the page, likewise, ${FRAMES_PER_PACKET} frames a run | ${encoding.speed.toFixed(1)} times real time |
| bytes of the WebSocket for it, 3 kbit/s entropy-coded, ${FRAMES_PER_PACKET} frames a packet | ${(encoding.bitsPerSecond / 1000).toFixed(2)} kbit/s |
| server killed in mid-speech, another process listens after ${reconnect.outageMs} ms: session open again after | ${reconnect.foundMs} ms more |
| longest silence of what is played meanwhile (of what is said) | ${reconnect.playedGapMs} ms (${reconnect.sourceGapMs} ms) |
| module, gzipped | ${(size / 1000).toFixed(1)} kB |
`);
} finally {
  await browser.close();
  await server.stop();
  await model.close();
}
