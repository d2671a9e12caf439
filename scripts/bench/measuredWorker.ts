/** The engine's worker for `bench:engine`, which also tells how its memory goes. */
import { getHeapStatistics } from 'node:v8';
import { BroadcastChannel } from 'node:worker_threads';
import '../../services/engine/worker.js';
import { MEMORY_CHANNEL, type WorkerMemory } from './workerMemory.js';

const SAMPLE_MS = 1;
const TELL_EVERY = 100;

const channel = new BroadcastChannel(MEMORY_CHANNEL);
let lastBytes = getHeapStatistics().used_heap_size;
let allocatedBytes = 0;
let samples = 0;

setInterval(() => {
  const { used_heap_size: usedBytes, external_memory: externalBytes } = getHeapStatistics();
  // A fall is a collection; what was made in between two samples beside it is not seen.
  allocatedBytes += Math.max(0, usedBytes - lastBytes);
  lastBytes = usedBytes;
  samples += 1;
  if (samples % TELL_EVERY === 0) {
    channel.postMessage({ allocatedBytes, usedBytes: usedBytes + externalBytes } satisfies WorkerMemory);
  }
}, SAMPLE_MS).unref();
channel.unref();
