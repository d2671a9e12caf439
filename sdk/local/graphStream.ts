import type * as ort from 'onnxruntime-web/wasm';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { CodecGraph, LocalRuntime, PcmPiece } from './workerMessages.js';

/** onnxruntime for browsers, as each of its builds has it. */
export type Onnxruntime = Pick<typeof ort, 'InferenceSession' | 'Tensor'>;
type Tensor = InstanceType<Onnxruntime['Tensor']>;
type Session = Awaited<ReturnType<Onnxruntime['InferenceSession']['create']>>;

/** One stream through a graph of the codec. */
export interface CodecStream {
  /** Begins another stream. */
  reset(): void;
  /** Decodes the next frames. @returns `frameCount * hop` samples. */
  decode(block: TokenBlock): Promise<Float32Array>;
  /** Encodes the next frames. */
  encode(piece: PcmPiece): Promise<TokenBlock>;
  /** Lets go of it. */
  close(): Promise<void>;
}

/** A {@link CodecStream} in onnxruntime, with its state. Nothing of it is shared. */
export class GraphStream implements CodecStream {
  readonly #runtime: Onnxruntime;
  readonly #session: Session;
  readonly #graph: CodecGraph;
  #states: Record<string, Tensor>;

  private constructor(runtime: Onnxruntime, session: Session, graph: CodecGraph) {
    this.#runtime = runtime;
    this.#session = session;
    this.#graph = graph;
    this.#states = this.#initialStates();
  }

  /** Makes a session on a provider that this build of onnxruntime has. @throws Error of the runtime. */
  static async create(
    runtime: Onnxruntime,
    provider: LocalRuntime,
    graph: CodecGraph,
    bytes: ArrayBuffer,
  ): Promise<GraphStream> {
    const session = await runtime.InferenceSession.create(bytes, {
      executionProviders: [provider],
      graphOptimizationLevel: 'all',
      // It warns of every graph that it gives to two providers.
      logSeverityLevel: 3,
      // States stay where the next run needs them; a GPU of WebGPU knows no bytes.
      ...(provider === 'webgpu'
        ? {
            preferredOutputLocation: Object.fromEntries(
              graph.states
                .filter(({ type }) => type === 'float32')
                .map(({ output }) => [output, 'gpu-buffer' as const]),
            ),
          }
        : {}),
    });
    return new GraphStream(runtime, session, graph);
  }

  reset(): void {
    this.#setStates(this.#initialStates());
  }

  async decode({ frameCount, quantizers, codes }: TokenBlock): Promise<Float32Array> {
    const all = this.#graph.quantizers;
    const padded = new Int32Array(all * frameCount);
    padded.set(codes);
    const active = Float32Array.from({ length: all }, (_, quantizer) => (quantizer < quantizers ? 1 : 0));
    const { Tensor } = this.#runtime;
    const { pcm } = await this.#run({
      codes: new Tensor('int32', padded, [1, all, frameCount]),
      active: new Tensor('float32', active, [1, all]),
    });
    return pcm!.data as Float32Array;
  }

  async encode({ firstFrameIndex, frameCount, quantizers, samples }: PcmPiece): Promise<TokenBlock> {
    const pcm = new this.#runtime.Tensor('float32', samples, [1, samples.length]);
    const { codes } = await this.#run({ pcm });
    const kept = (codes!.data as Int32Array).subarray(0, quantizers * frameCount);
    return { firstFrameIndex, frameCount, quantizers, codes: Uint16Array.from(kept) };
  }

  async close(): Promise<void> {
    this.#setStates({});
    await this.#session.release();
  }

  async #run(inputs: Record<string, Tensor>): Promise<Record<string, Tensor>> {
    const results = (await this.#session.run({ ...this.#states, ...inputs })) as Record<string, Tensor>;
    this.#setStates(
      Object.fromEntries(this.#graph.states.map(({ input, output }) => [input, results[output]!])),
    );
    return results;
  }

  /** On a GPU nothing but this gives their memory back. */
  #setStates(states: Record<string, Tensor>): void {
    for (const state of Object.values(this.#states)) state.dispose();
    this.#states = states;
  }

  /** All zeros start a stream. */
  #initialStates(): Record<string, Tensor> {
    return Object.fromEntries(
      this.#graph.states.map(({ input, shape, type }) => {
        const { Tensor } = this.#runtime;
        const size = shape.reduce((product, length) => product * length, 1);
        const dims = [1, ...shape];
        const zeros =
          type === 'int8'
            ? new Tensor(type, new Int8Array(size), dims)
            : new Tensor(type, new Float32Array(size), dims);
        return [input, zeros];
      }),
    );
  }
}
