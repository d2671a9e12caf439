/** The engine's worker, with a way to make it crash: a message on the channel. */
import { BroadcastChannel } from 'node:worker_threads';
import '../../services/engine/worker.js';
import { CRASH_CHANNEL } from './crashChannel.js';

const channel = new BroadcastChannel(CRASH_CHANNEL);
channel.onmessage = () => {
  throw new Error('The test asked for a crash');
};
