/** A thread of the quality bench: has every codec, and sends a recording through all of them at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { measureRecording } from './measure.js';
import { openCodecs, openTessera, type CodecChoice } from './codecs.js';
import type { ThreadReport, ThreadRequest } from './threadMessages.js';

const choice = workerData as CodecChoice;
const tessera = await openTessera(choice.model);
const rivals = await openCodecs(tessera, choice);
const rows = rivals.flatMap((rival) => rival.rows);

function report(message: ThreadReport): void {
  parentPort?.postMessage(message);
}

async function answer(request: ThreadRequest): Promise<void> {
  if (request.type === 'stop') {
    await tessera.model.close();
    parentPort?.close();
    return;
  }
  report({ type: 'result', result: await measureRecording(rows, request.task, request.sampleRate) });
}

// A rejection ends the thread, and with it the bench.
parentPort?.on('message', (request: ThreadRequest) => void answer(request));
report({
  type: 'ready',
  rows: rows.map(({ name, family, sameSoundAs }) => ({
    name,
    family,
    ...(sameSoundAs !== undefined && { sameSoundAs }),
  })),
  absent: rivals.flatMap(({ name, absence }) => (absence === undefined ? [] : [`${name} (${absence})`])),
});
