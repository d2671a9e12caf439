import type { CodecStream } from './graphStream.js';
import type { CodecGraph, LocalRuntime } from './workerMessages.js';

/**
 * Where the codec runs in the page: WebAssembly, unless that is slow here and WebGPU has shown in a trial that it does the same and
 * faster. One stream is little work, so WebAssembly nearly always wins. Whatever goes wrong with WebGPU, WebAssembly takes its place.
 */

/** Makes a stream on WebGPU; undefined where there is none. `signal` ends what it downloads. */
export type CreateWebGpuStream = (signal: AbortSignal) => Promise<CodecStream | undefined>;

/** Frames that both run, to be compared. */
const COMPARED_FRAMES = 5;
/**
 * Fast enough: WebGPU is not tried, whose build of onnxruntime is a download of 16 MB. The first runs are slow, until WebAssembly has been
 * compiled to its end: a trial goes on until a frame takes less than so long, or the time is up.
 */
const GOOD_FRAME_MS = 8;
const MAX_TRIAL_MS = 3000;
/** For WebGPU, its download and its shaders included: so much later does sound begin at worst. */
const MAX_WEBGPU_MS = 6000;
/** Power of the difference over that of the sound: -50 dB. */
const MAX_DIFFERENCE = 1e-5;
/** Of the codes, deep ones above all: what is rounded to 8 bits within the encoder can fall to the other side. */
const MAX_DIFFERENT_CODES = 0.25;

interface Trial {
  /** The fastest of its frames: what else the machine does makes single ones slow. */
  readonly frameMs: number;
  /** Samples or codes. */
  readonly output: readonly number[];
}

/** A stream on the runtime that was chosen for it. */
export class ChosenStream {
  readonly #wasm: CodecStream;
  #webgpu: CodecStream | undefined;
  /** What a frame takes, at best. */
  readonly frameMs: number;

  private constructor(wasm: CodecStream, webgpu: CodecStream | undefined, frameMs: number) {
    this.#wasm = wasm;
    this.#webgpu = webgpu;
    this.frameMs = frameMs;
  }

  /** Tries out `wasm`, and WebGPU where this machine has it, and keeps the better; both are as new after it. */
  static async choose(
    graph: CodecGraph,
    wasm: CodecStream,
    createWebGpu: CreateWebGpuStream,
  ): Promise<ChosenStream> {
    const first = await tryOut(wasm, graph);
    if (first.frameMs <= GOOD_FRAME_MS) return new ChosenStream(wasm, undefined, first.frameMs);
    const other = await tryWebGpu(graph, createWebGpu, first);
    if (other === undefined) return new ChosenStream(wasm, undefined, first.frameMs);
    // By now it is as fast as it gets.
    const again = await tryOut(wasm, graph);
    const frameMs = Math.min(first.frameMs, again.frameMs);
    if (other.frameMs < frameMs) return new ChosenStream(wasm, other.stream, other.frameMs);
    await other.stream.close();
    return new ChosenStream(wasm, undefined, frameMs);
  }

  /** The one of now. */
  get runtime(): LocalRuntime {
    return this.#webgpu ? 'webgpu' : 'wasm';
  }

  /** Runs the next frames. Where a GPU that was chosen fails, these and all that follow run on WebAssembly, which begins anew. */
  async run<T>(frames: (stream: CodecStream) => Promise<T>): Promise<T> {
    if (this.#webgpu === undefined) return frames(this.#wasm);
    try {
      return await frames(this.#webgpu);
    } catch {
      this.#webgpu = undefined;
      return frames(this.#wasm);
    }
  }
}

/** Whether there is WebGPU on real hardware, and what onnxruntime's build for it needs (JavaScript promise integration). */
export async function hasWebGpu(scope: unknown): Promise<boolean> {
  const { navigator, WebAssembly } = scope as {
    readonly navigator?: { readonly gpu?: { requestAdapter(): Promise<AdapterLike | null> } };
    readonly WebAssembly: object;
  };
  if (navigator?.gpu === undefined || !('Suspending' in WebAssembly)) return false;
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  // Where it is the processor that imitates a GPU, WebAssembly is the better way to use it.
  return adapter !== null && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false);
}

/** A `GPUAdapter`; older browsers have the flag beside `info`. */
interface AdapterLike {
  readonly info?: { readonly isFallbackAdapter?: boolean };
  readonly isFallbackAdapter?: boolean;
}

/** Undefined where it does not run, is late, or gives something else than WebAssembly. */
async function tryWebGpu(
  graph: CodecGraph,
  create: CreateWebGpuStream,
  expected: Trial,
): Promise<{ readonly stream: CodecStream; readonly frameMs: number } | undefined> {
  const signal = AbortSignal.timeout(MAX_WEBGPU_MS);
  const attempt = async (): Promise<
    { readonly stream: CodecStream; readonly frameMs: number } | undefined
  > => {
    const stream = await create(signal);
    if (stream === undefined) return undefined;
    const trial = await tryOut(stream, graph, signal).catch(() => undefined);
    if (trial && isSame(graph, trial.output, expected.output)) return { stream, frameMs: trial.frameMs };
    await stream.close();
    return undefined;
  };
  const late = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined));
  });
  return Promise.race([attempt(), late]).catch(() => undefined);
}

async function tryOut(stream: CodecStream, graph: CodecGraph, signal?: AbortSignal): Promise<Trial> {
  const endMs = performance.now() + MAX_TRIAL_MS;
  const output: number[] = [];
  let frameMs = Infinity;
  for (
    let frame = 0;
    frame < COMPARED_FRAMES || (frameMs > GOOD_FRAME_MS && performance.now() < endMs);
    frame += 1
  ) {
    signal?.throwIfAborted();
    const startMs = performance.now();
    const made = await runFrame(stream, graph, frame);
    frameMs = Math.min(frameMs, performance.now() - startMs);
    if (frame < COMPARED_FRAMES) output.push(...made);
  }
  stream.reset();
  return { frameMs, output };
}

/** Any sound or codes will do, as long as they are the same for both. */
async function runFrame(
  stream: CodecStream,
  { side, hop, quantizers }: CodecGraph,
  firstFrameIndex: number,
): Promise<Float32Array | Uint16Array> {
  const frame = { firstFrameIndex, frameCount: 1, quantizers };
  if (side === 'encoder') {
    const samples = Float32Array.from(
      { length: hop },
      (_, at) => 0.2 * Math.sin((at + firstFrameIndex * hop) ** 1.3),
    );
    return (await stream.encode({ ...frame, samples })).codes;
  }
  // Every codebook has these two.
  const codes = Uint16Array.from({ length: quantizers }, (_, at) => ((at + 1) * (firstFrameIndex + 3)) & 1);
  return stream.decode({ ...frame, codes });
}

/** Both may differ by what another order of additions makes. */
function isSame({ side }: CodecGraph, mine: readonly number[], theirs: readonly number[]): boolean {
  if (mine.length !== theirs.length) return false;
  if (side === 'encoder') {
    const different = mine.filter((code, at) => code !== theirs[at]).length;
    return different <= MAX_DIFFERENT_CODES * mine.length;
  }
  const power = theirs.reduce((sum, sample) => sum + sample ** 2, 0);
  const difference = mine.reduce((sum, sample, at) => sum + (sample - theirs[at]!) ** 2, 0);
  return difference <= MAX_DIFFERENCE * power;
}
