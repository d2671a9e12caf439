import { MessageChannel } from 'node:worker_threads';
import { env, InferenceSession } from 'onnxruntime-node';
import { TesseraError } from '../../protocol/errors.js';
import type { GraphManifest } from '../manifest.js';
import type { RunTensors } from './batch.js';
import type { Provider } from './providers.js';

/** Name, element type and shape of a graph's input or output; strings stand for sizes that are free. */
export interface TensorContract {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** What a graph must take and give besides its states. */
export interface GraphContract {
  readonly inputs: readonly TensorContract[];
  readonly outputs: readonly TensorContract[];
}

/**
 * Products in 8 bits are for processors: elsewhere the rounding around them is left out of the graph and they are computed
 * in float32, of the same weights.
 */
const IN_FLOAT = { session: { disable_quant_qdq: '1', enable_quant_qdq_cleanup: '1' } };

/** Loads a graph from the bytes of its file. @throws Error of the runtime when the provider or the file is unfit. */
export async function createSession(
  bytes: Uint8Array,
  provider: Provider,
  threads: number,
): Promise<InferenceSession> {
  // Its notes on how it placed nodes are no news to anyone; errors are thrown as well as logged.
  env.logLevel = 'error';
  return InferenceSession.create(bytes, {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    ...(provider === 'cpu' ? {} : { extra: IN_FLOAT }),
  });
}

/** What is transferred to a closed port is freed. */
const { port1: nowhere } = new MessageChannel();
nowhere.close();

/**
 * Runs a graph from `feeds` into `fetches`. The binding writes there and makes a copy of each output as well, the next states
 * above all: memory of a megabyte or so a run, which is given back at once. Left to the garbage collector, it makes
 * several full collections a second.
 */
export async function runGraph(session: InferenceSession, { feeds, fetches }: RunTensors): Promise<void> {
  const outputs = await session.run(feeds, fetches);
  const kept = new Set(Object.values(fetches).map(({ data }) => (data as Float32Array).buffer));
  const copies = Object.values(outputs).map(({ data }) => (data as Float32Array).buffer as ArrayBuffer);
  nowhere.postMessage(
    undefined,
    copies.filter((buffer) => !kept.has(buffer)),
  );
}

/**
 * Compares what a session takes and gives with the contract and the manifest's states.
 * @throws TesseraError `bad_manifest` that names the tensor.
 */
export function checkSession(session: InferenceSession, graph: GraphManifest, contract: GraphContract): void {
  const states = (direction: 'input' | 'output'): TensorContract[] =>
    graph.states.map((state) => ({
      name: state[direction],
      type: state.type,
      // A graph may leave the sizes of its next state open; they are bound by the buffer that receives it.
      shape: ['batch', ...(direction === 'input' ? state.shape : state.shape.map(String))],
    }));
  checkTensors(graph.file, 'input', session.inputMetadata, [...contract.inputs, ...states('input')]);
  checkTensors(graph.file, 'output', session.outputMetadata, [...contract.outputs, ...states('output')]);
}

function checkTensors(
  file: string,
  direction: 'input' | 'output',
  actual: readonly InferenceSession.ValueMetadata[],
  expected: readonly TensorContract[],
): void {
  const fail = (problem: string): TesseraError =>
    new TesseraError('bad_manifest', `${file} does not fit the manifest: ${problem}`);
  for (const { name, type, shape } of expected) {
    const tensor = actual.find((candidate) => candidate.name === name);
    if (tensor === undefined) throw fail(`it has no ${direction} "${name}"`);
    if (!tensor.isTensor || tensor.type !== type) throw fail(`its ${direction} "${name}" is not ${type}`);
    const fits =
      tensor.shape.length === shape.length &&
      shape.every((size, axis) => typeof size === 'string' || size === tensor.shape[axis]);
    if (!fits) {
      throw fail(
        `its ${direction} "${name}" has the shape [${tensor.shape.join(', ')}], not [${shape.join(', ')}]`,
      );
    }
  }
  const extra = actual.find((tensor) => !expected.some(({ name }) => name === tensor.name));
  if (extra !== undefined) throw fail(`its ${direction} "${extra.name}" is not in it`);
}
