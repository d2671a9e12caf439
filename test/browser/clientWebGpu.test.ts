import type { Browser, BrowserContext, Page } from 'playwright-core';
import { CodecModel, encodePcm } from '../../codec/index.js';
import type { Gateway } from '../../services/gateway/index.js';
import { launchBrowser } from '../support/browser.js';
import { base64Of, openClientPage, samplesOf } from '../../scripts/bench/clientPage.js';
import { collect, joinBlocks } from '../support/streams.js';
import { startGateway } from '../support/testGateway.js';
import { readWavFixture } from '../support/wavFixture.js';

/** WebGPU in software takes most of a second for a frame: a few have to do. */
const FRAMES = 10;

let gateway: Gateway;
let port: number;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** Names of the client's files that were fetched. */
let fetched: string[];

beforeAll(async () => {
  ({ gateway, port } = await startGateway());
  browser = await launchBrowser({ hasWebGpu: true });
});
beforeEach(async () => {
  context = await browser.newContext();
  fetched = [];
  context.on('request', (request) => fetched.push(new URL(request.url()).pathname.split('/').at(-1)!));
  page = await context.newPage();
  await openClientPage(page, port);
});
afterEach(() => context.close());
afterAll(async () => {
  await browser.close();
  await gateway.close();
});

/**
 * Gives `window.workerUrl`: the client's worker, to which the imitated GPU is a real one that there is time for, and WebAssembly
 * twenty times slower than it is. With `isFast` time runs backwards while onnxruntime's build for WebGPU works, so that it comes out as
 * the faster. `window.loseGpu()` takes the GPU away.
 */
const TAKE_FOR_REAL = ({ isFast }: { readonly isFast: boolean }) => `(() => {
  const module = (text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const changed = module(\`
    Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { get: () => false });
    AbortSignal.timeout = () => new AbortController().signal;
    const clock = performance.now.bind(performance);
    let offMs = 0;
    performance.now = () => 20 * clock() + offMs;
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...given) {
      const device = await requestDevice.apply(this, given);
      new BroadcastChannel('gpu').onmessage = () => device.destroy();
      return device;
    };
    const { promising } = WebAssembly;
    WebAssembly.promising = (work) => {
      const run = promising(work);
      return async (...given) => {
        const startMs = clock();
        try { return await run(...given); } finally { if (${isFast}) offMs -= 21 * (clock() - startMs); }
      };
    };\`);
  const channel = new BroadcastChannel('gpu');
  window.loseGpu = () => channel.postMessage('lose');
  window.workerUrl = module(\`import '\${changed}'; import '\${location.origin}/client/worker.js';\`);
})()`;

/** Sends samples to be encoded by the server and decoded here; gives what came, and what the server makes of the same. */
const DECODED_HERE = (samples: Float32Array) => `(async () => {
  const pcm = new Float32Array(await (await fetch('data:;base64,${base64Of(samples)}')).arrayBuffer());
  const input = { format: 'pcm_f32le', sampleRate: 24000 };
  const session = await tessera.connect(streamUrl, { mode: 'encode', input, output: { framesPerPacket: ${FRAMES} } });
  const before = session.stats.decodedOn;
  const local = [];
  session.on('audio', (chunk) => local.push(chunk.samples));
  await session.play({ decode: 'local', live: false, workerUrl: window.workerUrl });
  session.send(pcm);
  await session.flush();
  const server = await tessera.connect(streamUrl, { mode: 'resynth', input, output: { format: 'pcm_f32le' } });
  const theirs = [];
  server.on('audio', (chunk) => theirs.push(chunk.samples));
  server.send(pcm);
  await server.flush();
  await server.close();
  const length = (parts) => parts.reduce((sum, part) => sum + part.length, 0);
  while (length(local) < length(theirs)) await new Promise((resolve) => setTimeout(resolve, 100));
  const { decodedOn } = session.stats;
  await session.close();
  return { before, decodedOn, local: base64Of(local), server: base64Of(theirs) };
})()`;

interface Decoded {
  readonly before: string | undefined;
  readonly decodedOn: string;
  readonly local: string;
  readonly server: string;
}

/** Power of the difference over that of the server's sound, in decibels. */
function differenceDb({ local, server }: Decoded): number {
  const [mine, theirs] = [samplesOf(local), samplesOf(server)];
  const power = theirs.reduce((sum, sample) => sum + sample ** 2, 0);
  const difference = theirs.reduce((sum, sample, at) => sum + (sample - mine[at]!) ** 2, 0);
  return 10 * Math.log10(difference / power);
}

/** Speech of the middle of a recording. */
function speech(): Float32Array {
  return readWavFixture('speech-en-1.wav').samples.slice(24_000, 24_000 + FRAMES * 480);
}

test('WebGPU that is faster decodes, and it sounds as what the server decodes', async () => {
  await page.evaluate(TAKE_FOR_REAL({ isFast: true }));
  const decoded = await page.evaluate<Decoded>(DECODED_HERE(speech()));
  expect(decoded.before).toBeUndefined();
  expect(decoded.decodedOn).toBe('webgpu');
  expect(differenceDb(decoded)).toBeLessThan(-50);
}, 240_000);

test('a GPU that is lost while it decodes is replaced by WebAssembly, and no frame is missing', async () => {
  await page.evaluate(TAKE_FOR_REAL({ isFast: true }));
  const samples = readWavFixture('speech-en-1.wav').samples.slice(0, 2 * FRAMES * 480);
  const { runtimes, frames, errors } = await page.evaluate<{
    runtimes: string[];
    frames: number;
    errors: string[];
  }>(`(async () => {
    const pcm = new Float32Array(await (await fetch('data:;base64,${base64Of(samples)}')).arrayBuffer());
    const input = { format: 'pcm_f32le', sampleRate: 24000 };
    const session = await tessera.connect(streamUrl, { mode: 'encode', input });
    const errors = [];
    session.on('error', ({ message }) => errors.push(message));
    let received = 0;
    session.on('audio', (chunk) => (received = chunk.firstSampleIndex + chunk.samples.length));
    await session.play({ decode: 'local', live: false, workerUrl: window.workerUrl });
    const runtimes = [session.stats.decodedOn];
    session.send(pcm);
    const { frames } = await session.flush();
    while (received === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    loseGpu();
    const { hop, decoderDelaySamples } = session.model;
    while (received < frames * hop - decoderDelaySamples && errors.length === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    runtimes.push(session.stats.decodedOn);
    await session.close();
    return { runtimes, frames, errors };
  })()`);
  expect(errors).toEqual([]);
  expect(runtimes).toEqual(['webgpu', 'wasm']);
  expect(frames).toBeGreaterThan(FRAMES);
}, 240_000);

test('WebGPU that is faster encodes, with the codes of the library', async () => {
  await page.evaluate(TAKE_FOR_REAL({ isFast: true }));
  const samples = speech();
  const here = await page.evaluate<{ codes: number[]; encodedOn: string }>(`(async () => {
    const pcm = new Float32Array(await (await fetch('data:;base64,${base64Of(samples)}')).arrayBuffer());
    const session = await tessera.connect(streamUrl, { mode: 'decode' });
    await session.encodeLocally({ framesPerPacket: ${FRAMES}, workerUrl: window.workerUrl });
    const blocks = [];
    session.sendTokens = ({ codes }) => blocks.push([...codes]);
    session.send(pcm);
    while (blocks.length === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    const { encodedOn } = session.stats;
    await session.close();
    return { codes: blocks[0], encodedOn };
  })()`);
  const model = await CodecModel.load({ provider: 'cpu' });
  const there = joinBlocks(await collect(encodePcm(model, samples)));
  await model.close();
  const { quantizers } = there;
  const expected = Array.from({ length: quantizers }, (_, quantizer) => {
    const row = quantizer * there.frameCount;
    return [...there.codes.subarray(row, row + FRAMES)];
  }).flat();
  expect(here.encodedOn).toBe('webgpu');
  expect(here.codes).toHaveLength(quantizers * FRAMES);
  // Deep codes hang on what the encoder rounds to 8 bits, which can fall to the other side; those of the first codebook hardly do.
  const different = here.codes.slice(0, FRAMES).filter((code, at) => code !== expected[at]).length;
  expect(different).toBeLessThanOrEqual(FRAMES / 5);
}, 240_000);

test('WebGPU that is slower, as it is in software, leaves the work to WebAssembly', async () => {
  await page.evaluate(TAKE_FOR_REAL({ isFast: false }));
  const decoded = await page.evaluate<Decoded>(DECODED_HERE(speech()));
  expect(fetched).toContain('ort-wasm-simd-threaded.jspi.wasm');
  expect(decoded.decodedOn).toBe('wasm');
  expect(differenceDb(decoded)).toBeLessThan(-50);
}, 240_000);

test('WebGPU whose file does not come leaves the work to WebAssembly', async () => {
  await context.route('**/*.jspi.wasm', (route) => route.abort());
  await page.evaluate(TAKE_FOR_REAL({ isFast: true }));
  const decoded = await page.evaluate<Decoded>(DECODED_HERE(speech()));
  expect(fetched).toContain('webgpu.js');
  expect(decoded.decodedOn).toBe('wasm');
  expect(differenceDb(decoded)).toBeLessThan(-50);
});

test('a processor that imitates a GPU is not tried, and nothing is fetched for it', async () => {
  const decoded = await page.evaluate<Decoded>(DECODED_HERE(speech()));
  expect(decoded.decodedOn).toBe('wasm');
  expect(fetched).toContain('ort-wasm-simd-threaded.wasm');
  expect(fetched.filter((name) => name.includes('webgpu') || name.includes('jspi'))).toEqual([]);
});
