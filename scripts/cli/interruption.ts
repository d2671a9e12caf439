import { rmSync } from 'node:fs';
import { constants } from 'node:os';

/** What shells add to the number of the signal that ended a process. */
const SIGNAL_EXIT_BASE = 128;

/**
 * What has to be tidied up when the process is told to stop: unfinished files. A first SIGINT, SIGTERM or SIGHUP tidies
 * up and ends the process by that signal, as its caller expects; a second one ends it at once.
 */
export class Interruption {
  readonly #cleanups = new Set<() => void | Promise<void>>();
  #happened = false;

  /** True once a signal has come: no new work should begin. */
  get happened(): boolean {
    return this.#happened;
  }

  /** Listens to the signals. */
  listen(): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        this.#happened = true;
        void this.#cleanUp().finally(() => {
          process.kill(process.pid, signal);
          // The first process of a container outlives the signals that it sends to itself.
          process.exit(SIGNAL_EXIT_BASE + constants.signals[signal]);
        });
      });
    }
  }

  /** Registers something to do on a signal. @returns what takes it back. */
  onSignal(cleanup: () => void | Promise<void>): () => void {
    this.#cleanups.add(cleanup);
    return () => this.#cleanups.delete(cleanup);
  }

  /** Registers a file to remove on a signal. @returns what takes it back. */
  removes(path: string): () => void {
    return this.onSignal(() => {
      rmSync(path, { force: true });
    });
  }

  /** Does everything that is registered, now. */
  async #cleanUp(): Promise<void> {
    await Promise.allSettled([...this.#cleanups].map(async (cleanup) => cleanup()));
  }
}
