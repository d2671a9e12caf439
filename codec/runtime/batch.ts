import { Tensor } from 'onnxruntime-node';
import { elementCount, type GraphManifest, type Manifest } from '../manifest.js';
import { stateArray, statesOf, type CodecState, type StateArray } from './state.js';

/** The tensors of one run, by name. */
export interface RunTensors {
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly fetches: Readonly<Record<string, Tensor>>;
}

/** Shapes whose tensors are kept; an engine uses a handful, and odd ones must not gather for ever. */
const MAX_CACHED_SHAPES = 256;

/**
 * The memory of runs of one graph: room for `maxRows` streams of `maxFrames` frames, allocated once. A run uses the
 * front of each array: row r of a run of T frames begins at `r * (values of one row at T frames)`.
 */
abstract class Batch {
  readonly maxRows: number;
  readonly maxFrames: number;
  /** State going in, an array for each of the manifest's tensors: row r begins at `r * elementCount(shape)`. */
  readonly states: readonly StateArray[];
  /** State coming out, likewise. */
  readonly nextStates: readonly StateArray[];
  readonly #graph: GraphManifest;
  readonly #tensors = new Map<number, RunTensors>();
  /** The rows of `states` and of `nextStates`, made once, so that a run makes no views. */
  readonly #stateRows: readonly CodecState[];
  readonly #nextStateRows: readonly CodecState[];

  constructor(graph: GraphManifest, maxRows: number, maxFrames: number) {
    this.maxRows = maxRows;
    this.maxFrames = maxFrames;
    this.#graph = graph;
    const allocate = (): StateArray[] => graph.states.map((state) => stateArray(state, maxRows));
    this.states = allocate();
    this.nextStates = allocate();
    this.#stateRows = statesOf(this.states, maxRows);
    this.#nextStateRows = statesOf(this.nextStates, maxRows);
  }

  /** Puts a stream's state into a row of the next run. */
  loadState(row: number, state: CodecState): void {
    this.#stateRows[row]?.set(state);
  }

  /** Takes a stream's state out of a row of the last run. */
  storeState(row: number, state: CodecState): void {
    const next = this.#nextStateRows[row];
    if (next) state.set(next);
  }

  /**
   * The tensors over these arrays for a run of so many rows and frames; made once for each shape.
   * @throws RangeError above the batch's room.
   */
  tensors(rows: number, frames: number): RunTensors {
    if (!(rows >= 1 && rows <= this.maxRows && frames >= 1 && frames <= this.maxFrames)) {
      throw new RangeError(
        `A run of ${rows} rows and ${frames} frames is outside the batch's ${this.maxRows} and ${this.maxFrames}`,
      );
    }
    const key = rows * (this.maxFrames + 1) + frames;
    let tensors = this.#tensors.get(key);
    if (tensors === undefined) {
      if (this.#tensors.size >= MAX_CACHED_SHAPES) this.#tensors.clear();
      tensors = this.createTensors(rows, frames);
      this.#graph.states.forEach(({ input, output, shape }, index) => {
        Object.assign(tensors!.feeds, { [input]: view(this.states[index], [rows, ...shape]) });
        Object.assign(tensors!.fetches, { [output]: view(this.nextStates[index], [rows, ...shape]) });
      });
      this.#tensors.set(key, tensors);
    }
    return tensors;
  }

  /** The tensors besides the states. */
  protected abstract createTensors(rows: number, frames: number): RunTensors;
}

/** Memory of encoder runs. */
export class EncoderBatch extends Batch {
  /** Samples going in, [rows, frames * hop]. */
  readonly pcm: Float32Array;
  /** Codes coming out, [rows, quantizers, frames]. */
  readonly codes: Int32Array;
  /** Residual energies coming out, likewise; undefined where the model gives none. */
  readonly residuals: Float32Array | undefined;
  readonly #manifest: Manifest;

  constructor(manifest: Manifest, maxRows: number, maxFrames: number) {
    super(manifest.encoder, maxRows, maxFrames);
    this.#manifest = manifest;
    this.pcm = new Float32Array(maxRows * maxFrames * manifest.hop);
    this.codes = new Int32Array(maxRows * maxFrames * manifest.quantizers);
    if (manifest.encoder.residualEnergy) this.residuals = new Float32Array(this.codes.length);
  }

  protected createTensors(rows: number, frames: number): RunTensors {
    const { hop, quantizers, encoder } = this.#manifest;
    const shape = [rows, quantizers, frames];
    const residual = encoder.residualEnergy && {
      [encoder.residualEnergy.output]: view(this.residuals, shape),
    };
    return {
      feeds: { pcm: view(this.pcm, [rows, frames * hop]) },
      fetches: { codes: view(this.codes, shape), ...residual },
    };
  }
}

/** Memory of decoder runs. */
export class DecoderBatch extends Batch {
  /** Codes going in, [rows, quantizers, frames]; any value of the codebook where a codebook is not active. */
  readonly codes: Int32Array;
  /** 1 where a codebook counts, else 0, [rows, quantizers]; [rows, quantizers, frames] where the model runs over windows. */
  readonly active: Float32Array;
  /** Samples coming out, [rows, frames * hop]. */
  readonly pcm: Float32Array;
  readonly #manifest: Manifest;

  constructor(manifest: Manifest, maxRows: number, maxFrames: number) {
    super(manifest.decoder, maxRows, maxFrames);
    this.#manifest = manifest;
    this.codes = new Int32Array(maxRows * maxFrames * manifest.quantizers);
    this.active = new Float32Array(manifest.windows ? this.codes.length : maxRows * manifest.quantizers);
    this.pcm = new Float32Array(maxRows * maxFrames * manifest.hop);
  }

  protected createTensors(rows: number, frames: number): RunTensors {
    const { hop, quantizers, windows } = this.#manifest;
    return {
      feeds: {
        codes: view(this.codes, [rows, quantizers, frames]),
        active: view(this.active, windows ? [rows, quantizers, frames] : [rows, quantizers]),
      },
      fetches: { pcm: view(this.pcm, [rows, frames * hop]) },
    };
  }
}

/** A tensor over the front of an array, without a copy. */
function view(array: StateArray | Int32Array | undefined, dims: readonly number[]): Tensor {
  const count = elementCount(dims);
  if (array instanceof Int32Array) return new Tensor('int32', array.subarray(0, count), dims);
  if (array instanceof Int8Array) return new Tensor('int8', array.subarray(0, count), dims);
  return new Tensor('float32', (array ?? new Float32Array(0)).subarray(0, count), dims);
}
