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

/** A run on a GPU costs nearly the same for one session as for hundreds, and takes its time; the second worker overlaps. */
const GPU: ProviderBounds = { threads: 2, maxBatch: 256, maxTurnLatencyMs: 160 };

/** `cores` of the machine: one is left for the sockets. */
export function providerBounds(provider: Provider, cores = availableParallelism()): ProviderBounds {
  if (provider !== 'cpu') return GPU;
  return { threads: Math.max(1, cores - 1), maxBatch: 32, maxTurnLatencyMs: 100 };
}
