/** Where figures of memory are told. */
export const MEMORY_CHANNEL = 'tessera-bench-memory';

/** Memory of a worker. */
export interface WorkerMemory {
  /** JavaScript objects made since the start. */
  readonly allocatedBytes: number;
  /** Objects, and arrays outside of the heap such as the states, that are live or not collected yet. */
  readonly usedBytes: number;
}
