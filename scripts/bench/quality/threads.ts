import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { CodecChoice } from './codecs.js';
import type { Task, TaskResult } from './measure.js';
import type { ThreadReady, ThreadReport, ThreadRequest } from './threadMessages.js';

/** Threads with all codecs; a recording is the work of one of them. */
export class QualityThreads {
  readonly #workers: readonly Worker[];
  /** Rows, and codecs that are absent. */
  readonly ready: ThreadReady;

  private constructor(workers: readonly Worker[], ready: ThreadReady) {
    this.#workers = workers;
    this.ready = ready;
  }

  /** @throws Error when a codec cannot be loaded. */
  static async start(count: number, choice: CodecChoice): Promise<QualityThreads> {
    const workers = Array.from(
      { length: count },
      () => new Worker(new URL('./thread.js', import.meta.url), { workerData: choice }),
    );
    const reports = await Promise.all(workers.map(nextReport));
    const ready = reports.find((report) => report.type === 'ready');
    if (!ready) throw new Error('The threads did not become ready');
    return new QualityThreads(workers, ready);
  }

  /** Does all tasks. @returns their results, in order. @throws Error with what made a codec fail. */
  async run(
    tasks: readonly Task[],
    sampleRate: number,
    onDone: (count: number) => void,
  ): Promise<TaskResult[]> {
    const results: TaskResult[] = [];
    let next = 0;
    let done = 0;
    await Promise.all(
      this.#workers.map(async (worker) => {
        for (let at = next++; at < tasks.length; at = next++) {
          const task = tasks[at];
          if (!task) continue;
          worker.postMessage({ type: 'task', task, sampleRate } satisfies ThreadRequest);
          const report = await nextReport(worker);
          if (report.type === 'result') results[at] = report.result;
          onDone((done += 1));
        }
      }),
    );
    return results;
  }

  /** Ends the threads between two runs: to end one within a run would end the process. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#workers.map(async (worker) => {
        worker.postMessage({ type: 'stop' } satisfies ThreadRequest);
        await once(worker, 'exit');
      }),
    );
  }
}

/** @throws Error when the thread ends before. */
async function nextReport(worker: Worker): Promise<ThreadReport> {
  const [report] = (await once(worker, 'message')) as [ThreadReport];
  return report;
}
