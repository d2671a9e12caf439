/** The engine's worker, with a way to make it crash: a message on the channel. */
import { BroadcastChannel } from 'node:worker_threads';
import '../../services/engine/worker.js';
import { CRASH_CHANNEL } from './crashChannel.js';

const channel = new BroadcastChannel(CRASH_CHANNEL);
channel.onmessage = (event) => {
  // Where several workers listen, a shared number lets only the first one through.
  const { data } = event as { data: unknown };
  if (data instanceof SharedArrayBuffer && Atomics.add(new Int32Array(data), 0, 1) > 0) return;
  throw new Error('The test asked for a crash');
};
