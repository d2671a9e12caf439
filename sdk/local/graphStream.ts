import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { CodecGraph, PcmPiece } from './workerMessages.js';

/** One stream through a graph of the codec, with its state. Nothing of it is shared. */
export class GraphStream {
  readonly #session: InferenceSession;
  readonly #graph: CodecGraph;
  #states: Record<string, Tensor>;

  private constructor(session: InferenceSession, graph: CodecGraph) {
    this.#session = session;
    this.#graph = graph;
    this.#states = initialStates(graph);
  }

  /** Makes a session on WebAssembly, on one thread. @throws Error of the runtime. */
  static async create(graph: CodecGraph, bytes: ArrayBuffer, wasmUrl: string): Promise<GraphStream> {
    env.wasm.numThreads = 1;
    env.wasm.wasmPaths = { wasm: wasmUrl };
    const session = await InferenceSession.create(bytes, {
      executionProviders: ['wasm'],
      graphOptimizationLevel: 'all',
    });
    return new GraphStream(session, graph);
  }

  /** Begins another stream. */
  reset(): void {
    this.#states = initialStates(this.#graph);
  }

  /** Decodes the next frames. @returns `frameCount * hop` samples. */
  async decode({ frameCount, quantizers, codes }: TokenBlock): Promise<Float32Array> {
    const all = this.#graph.quantizers;
    const padded = new Int32Array(all * frameCount);
    padded.set(codes);
    const active = Float32Array.from({ length: all }, (_, quantizer) => (quantizer < quantizers ? 1 : 0));
    const { pcm } = await this.#run({
      codes: new Tensor('int32', padded, [1, all, frameCount]),
      active: new Tensor('float32', active, [1, all]),
    });
    return pcm!.data as Float32Array;
  }

  /** Encodes the next frames. */
  async encode({ firstFrameIndex, frameCount, quantizers, samples }: PcmPiece): Promise<TokenBlock> {
    const { codes } = await this.#run({ pcm: new Tensor('float32', samples, [1, samples.length]) });
    const kept = (codes!.data as Int32Array).subarray(0, quantizers * frameCount);
    return { firstFrameIndex, frameCount, quantizers, codes: Uint16Array.from(kept) };
  }

  async #run(inputs: Record<string, Tensor>): Promise<InferenceSession.ReturnType> {
    const results = await this.#session.run({ ...this.#states, ...inputs });
    this.#states = Object.fromEntries(
      this.#graph.states.map(({ input, output }) => [input, results[output] as Tensor]),
    );
    return results;
  }
}

/** All zeros start a stream. */
function initialStates({ states }: CodecGraph): Record<string, Tensor> {
  return Object.fromEntries(
    states.map(({ input, shape }) => {
      const size = shape.reduce((product, length) => product * length, 1);
      return [input, new Tensor('float32', new Float32Array(size), [1, ...shape])];
    }),
  );
}
