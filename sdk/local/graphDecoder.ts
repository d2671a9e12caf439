import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { DecoderGraph } from './workerMessages.js';

/** One stream of tokens through the decoder's graph, with its state. Nothing of it is shared. */
export class GraphDecoder {
  readonly #session: InferenceSession;
  readonly #graph: DecoderGraph;
  #states: Record<string, Tensor>;

  private constructor(session: InferenceSession, graph: DecoderGraph) {
    this.#session = session;
    this.#graph = graph;
    // All zeros start a stream.
    this.#states = Object.fromEntries(
      graph.states.map(({ input, shape }) => {
        const size = shape.reduce((product, length) => product * length, 1);
        return [input, new Tensor('float32', new Float32Array(size), [1, ...shape])];
      }),
    );
  }

  /** Makes a session on WebAssembly, on one thread. @throws Error of the runtime. */
  static async create(graph: DecoderGraph, bytes: ArrayBuffer, wasmUrl: string): Promise<GraphDecoder> {
    env.wasm.numThreads = 1;
    env.wasm.wasmPaths = { wasm: wasmUrl };
    const session = await InferenceSession.create(bytes, {
      executionProviders: ['wasm'],
      graphOptimizationLevel: 'all',
    });
    return new GraphDecoder(session, graph);
  }

  /** Decodes the next frames. @returns `frameCount * hop` samples. */
  async decode({ frameCount, quantizers, codes }: TokenBlock): Promise<Float32Array> {
    const all = this.#graph.quantizers;
    const padded = new Int32Array(all * frameCount);
    padded.set(codes);
    const active = Float32Array.from({ length: all }, (_, quantizer) => (quantizer < quantizers ? 1 : 0));
    const results = await this.#session.run({
      ...this.#states,
      codes: new Tensor('int32', padded, [1, all, frameCount]),
      active: new Tensor('float32', active, [1, all]),
    });
    this.#states = Object.fromEntries(
      this.#graph.states.map(({ input, output }) => [input, results[output] as Tensor]),
    );
    return results['pcm']!.data as Float32Array;
  }
}
