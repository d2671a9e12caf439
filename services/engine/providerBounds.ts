import { availableParallelism } from 'node:os';
import type { Provider } from '../../codec/runtime/providers.js';

/** What suits a provider where nothing else is asked for. */
export interface ProviderBounds {
  /** Worker threads. */
  readonly threads: number;
  /** Sessions in one run. */
  readonly maxBatch: number;
  /** Frames are gathered and run within so long, or the number of sessions is too high. */
  readonly maxTurnLatencyMs: number;
}

/** Of a GPU: while one worker's run is under way the others copy states. Measured on an H100: 4 carry less, 8 no more. */
const GPU_WORKERS = 6;

/** `cores` of the machine: one is left for the sockets. */
export function providerBounds(provider: Provider, cores = availableParallelism()): ProviderBounds {
  const workers = Math.max(1, cores - 1);
  if (provider === 'cpu') return { threads: workers, maxBatch: 32, maxTurnLatencyMs: 100 };
  // A run costs nearly the same for one session as for hundreds, and takes its time.
  return { threads: Math.min(GPU_WORKERS, workers), maxBatch: 256, maxTurnLatencyMs: 160 };
}
