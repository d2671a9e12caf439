import type { GraphManifest } from '../manifest.js';
import { stateArray, statesOf, type CodecState } from './state.js';

/** Slots are added in blocks of at most so many: one stream takes the memory of one, thousands take few allocations. */
const MAX_BLOCK_SLOTS = 64;

/**
 * The states of all streams of a graph in a thread, each in a slot of a large array. Slots are used again: there are never
 * more than streams at once, rounded up to a block, and a stream that begins or ends allocates nothing.
 */
export class StateSlots {
  readonly #graph: GraphManifest;
  readonly #free: CodecState[] = [];
  #count = 0;

  constructor(graph: GraphManifest) {
    this.#graph = graph;
  }

  /** Slots that there are. */
  get count(): number {
    return this.#count;
  }

  /** Slots that streams hold. */
  get used(): number {
    return this.#count - this.#free.length;
  }

  /** A slot in the state at the start of a stream. */
  take(): CodecState {
    if (this.#free.length === 0) this.#grow();
    const state = this.#free.pop();
    if (state === undefined) throw new RangeError('There is no slot');
    // When it is taken and not when it is given back: memory that nobody uses again need not be written.
    state.clear();
    return state;
  }

  /** Takes a slot back that {@link take} gave; once, and nobody may use it any more. */
  giveBack(state: CodecState): void {
    this.#free.push(state);
  }

  #grow(): void {
    const added = Math.min(MAX_BLOCK_SLOTS, Math.max(1, this.#count));
    this.#free.push(
      ...statesOf(
        this.#graph.states.map((state) => stateArray(state, added)),
        added,
      ),
    );
    this.#count += added;
  }
}
