import { jest } from '@jest/globals';
import type { TokenBlock } from '../../../protocol/tokens.js';
import type { CodecStream } from '../../../sdk/local/graphStream.js';
import { ChosenStream, hasWebGpu } from '../../../sdk/local/runtimeChoice.js';
import type { CodecGraph, PcmPiece } from '../../../sdk/local/workerMessages.js';

const DECODER: CodecGraph = { side: 'decoder', hop: 4, quantizers: 2, states: [] };
const ENCODER: CodecGraph = { ...DECODER, side: 'encoder' };

let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  jest.restoreAllMocks();
});

interface StandIn extends CodecStream {
  frames: number;
  isClosed: boolean;
  /** Frames that it still runs before it fails. */
  lasts: number;
}

/** A codec that takes so long for a frame by the clock above; what it makes is scaled, and its codes are moved. */
function standIn(frameMs: number, { gain = 1, shift = 0 } = {}): StandIn {
  const spend = (): void => {
    if (stream.lasts === 0) throw new Error('device lost');
    stream.lasts -= 1;
    stream.frames += 1;
    nowMs += frameMs;
  };
  const stream: StandIn = {
    frames: 0,
    isClosed: false,
    lasts: Infinity,
    reset: () => {
      stream.frames = 0;
    },
    decode: async ({ firstFrameIndex }: TokenBlock) => {
      spend();
      return Float32Array.from({ length: 4 }, (_, at) => gain * (1 + at + firstFrameIndex));
    },
    encode: async ({ firstFrameIndex, frameCount, quantizers }: PcmPiece) => {
      spend();
      const codes = Uint16Array.from([3, firstFrameIndex + shift]);
      return { firstFrameIndex, frameCount, quantizers, codes };
    },
    close: async () => {
      stream.isClosed = true;
    },
  };
  return stream;
}

const FRAME = { firstFrameIndex: 0, frameCount: 1, quantizers: 2, codes: new Uint16Array(2) };

test.each([
  ['faster and the same', standIn(40), 'webgpu', 40],
  ['faster, within 60 dB', standIn(40, { gain: 1.001 }), 'webgpu', 40],
  ['faster, off by 40 dB', standIn(40, { gain: 1.01 }), 'wasm', 60],
  ['as fast', standIn(60), 'wasm', 60],
  ['slower', standIn(70), 'wasm', 60],
])('of WebGPU that is %s and WebAssembly, the better one decodes', async (_, webgpu, runtime, frameMs) => {
  const wasm = standIn(60);
  const chosen = await ChosenStream.choose(DECODER, wasm, async () => webgpu);
  expect(chosen).toMatchObject({ runtime, frameMs });
  expect(webgpu.isClosed).toBe(runtime === 'wasm');
  // The trial has left nothing behind.
  expect(wasm.frames).toBe(0);
  await chosen.run((stream) => stream.decode(FRAME));
  expect((runtime === 'wasm' ? wasm : webgpu).frames).toBe(1);
});

test.each([
  [0, 'webgpu'],
  [1, 'wasm'],
])('an encoder on WebGPU of whose codes half are off by %d', async (shift, runtime) => {
  const chosen = await ChosenStream.choose(ENCODER, standIn(60), async () => standIn(40, { shift }));
  expect(chosen.runtime).toBe(runtime);
});

test('where WebAssembly is fast enough WebGPU is not even made', async () => {
  const create = jest.fn(async () => standIn(1));
  const chosen = await ChosenStream.choose(DECODER, standIn(4), create);
  expect(chosen).toMatchObject({ runtime: 'wasm', frameMs: 4 });
  expect(create).not.toHaveBeenCalled();
});

test('the first runs of WebAssembly, while it is still compiled, do not count against it', async () => {
  const wasm = standIn(70);
  const decode = wasm.decode.bind(wasm);
  let runs = 0;
  wasm.decode = (block) => {
    runs += 1;
    if (runs > 5) nowMs -= 40;
    return decode(block);
  };
  const chosen = await ChosenStream.choose(DECODER, wasm, async () => standIn(50));
  expect(chosen).toMatchObject({ runtime: 'wasm', frameMs: 30 });
});

test('WebGPU that is not there, cannot be made or fails in its trial leaves WebAssembly', async () => {
  const failing = standIn(10);
  failing.lasts = 2;
  const makers = [
    async () => undefined,
    () => Promise.reject(new Error('no such file')),
    async () => failing,
  ];
  for (const create of makers) {
    const chosen = await ChosenStream.choose(DECODER, standIn(60), create);
    expect(chosen).toMatchObject({ runtime: 'wasm', frameMs: 60 });
  }
  expect(failing.isClosed).toBe(true);
});

test('WebGPU that does not come in time is not waited for, and its download ends', async () => {
  const over = new AbortController();
  jest.spyOn(AbortSignal, 'timeout').mockReturnValue(over.signal);
  let given: AbortSignal | undefined;
  const chosen = ChosenStream.choose(DECODER, standIn(60), (signal) => {
    given = signal;
    setTimeout(() => over.abort());
    return new Promise(() => undefined);
  });
  expect((await chosen).runtime).toBe('wasm');
  expect(given?.aborted).toBe(true);
});

test('WebGPU that comes too late is let go of', async () => {
  const over = new AbortController();
  jest.spyOn(AbortSignal, 'timeout').mockReturnValue(over.signal);
  const webgpu = standIn(10);
  const chosen = await ChosenStream.choose(DECODER, standIn(60), async () => {
    over.abort();
    await new Promise((resolve) => setTimeout(resolve));
    return webgpu;
  });
  while (!webgpu.isClosed) await new Promise((resolve) => setTimeout(resolve));
  expect(chosen.runtime).toBe('wasm');
  expect(webgpu.frames).toBe(0);
});

test('a GPU that is lost later is replaced by WebAssembly, from the frame on that it failed at', async () => {
  const [wasm, webgpu] = [standIn(60), standIn(40)];
  const chosen = await ChosenStream.choose(DECODER, wasm, async () => webgpu);
  webgpu.lasts = 1;
  const decode = (firstFrameIndex: number): Promise<Float32Array> =>
    chosen.run((stream) => stream.decode({ ...FRAME, firstFrameIndex }));
  await decode(0);
  expect(chosen.runtime).toBe('webgpu');
  expect([...(await decode(1))]).toEqual([2, 3, 4, 5]);
  expect(chosen.runtime).toBe('wasm');
  await decode(2);
  expect([webgpu.frames, wasm.frames]).toEqual([1, 2]);
});

test('WebAssembly that fails says so', async () => {
  const wasm = standIn(60);
  const chosen = await ChosenStream.choose(DECODER, wasm, async () => undefined);
  wasm.lasts = 0;
  await expect(chosen.run((stream) => stream.decode(FRAME))).rejects.toThrow('device lost');
});

test.each([
  ['a GPU', { info: { isFallbackAdapter: false } }, true],
  ['a GPU, in an older browser', { isFallbackAdapter: false, info: {} }, true],
  ['a processor that imitates one', { info: { isFallbackAdapter: true } }, false],
  ['the same, in an older browser', { isFallbackAdapter: true, info: {} }, false],
  ['none', null, false],
])('%s: WebGPU counts as there, or not', async (_, adapter, is) => {
  const WebAssembly = { Suspending: Object };
  const navigator = { gpu: { requestAdapter: async () => adapter } };
  expect(await hasWebGpu({ navigator, WebAssembly })).toBe(is);
  // Without what onnxruntime's build for it needs it is of no use.
  expect(await hasWebGpu({ navigator, WebAssembly: {} })).toBe(false);
});

test('a browser without WebGPU, and one that refuses it, have none', async () => {
  const WebAssembly = { Suspending: Object };
  expect(await hasWebGpu({ navigator: {}, WebAssembly })).toBe(false);
  const navigator = { gpu: { requestAdapter: () => Promise.reject(new Error('refused')) } };
  expect(await hasWebGpu({ navigator, WebAssembly })).toBe(false);
});
