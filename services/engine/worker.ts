/** The engine's worker thread: loads the model, then runs it for the sessions that it is given. */
import { parentPort, workerData } from 'node:worker_threads';
import { TesseraError } from '../../protocol/errors.js';
import { requireStreaming } from '../../codec/manifest.js';
import { CodecModel } from '../../codec/runtime/model.js';
import { joinBytes } from './joinedBytes.js';
import { measureRunCosts } from './runCosts.js';
import { providerBounds } from './providerBounds.js';
import { Scheduler } from './scheduler.js';
import type { WorkerPost, WorkerReport, WorkerSettings } from './threadMessages.js';

if (parentPort === null) throw new Error('This file runs as a worker thread of the engine');
const port = parentPort;
const settings = workerData as WorkerSettings;

function report(message: WorkerReport): void {
  const buffer = message.type === 'turn' ? joinBytes(message.reports) : undefined;
  port.postMessage(message, buffer ? [buffer] : []);
}

try {
  const model = await CodecModel.load({
    provider: settings.provider,
    // More threads make one run quicker and all runs together slower: cores are for workers.
    threads: 1,
    ...(settings.model === undefined ? {} : { model: settings.model }),
  });
  requireStreaming(model.manifest);
  const { maxBatch = providerBounds(model.provider).maxBatch, maxFramesPerRun } = settings;
  const bounds = { maxBatch, maxFramesPerRun };
  const scheduler = new Scheduler(model, bounds, report);
  const measure = async (): Promise<void> => {
    try {
      report({ type: 'ready', costs: await measureRunCosts(model, bounds) });
    } catch (error) {
      reportUnfit(error);
    }
  };
  port.on('message', ({ sentMs, requests }: WorkerPost) => {
    const arrivalMs = sentMs - performance.timeOrigin;
    for (const request of requests) {
      if (request.type === 'measure') void measure();
      else if (request.type !== 'stop') scheduler.handle(request, arrivalMs);
      else void scheduler.stop().finally(() => process.exit(0));
    }
  });
  report({ type: 'loaded', model: model.summary, provider: model.provider, bounds });
} catch (error) {
  reportUnfit(error);
}

function reportUnfit(error: unknown): void {
  const { code, message } = TesseraError.from(error);
  report({ type: 'unfit', error: { code, message } });
}
