import { SingleBar } from 'cli-progress';
import type { Reporter } from './report.js';

/** A progress bar on standard error where that is a terminal, else nothing. */
export class Progress {
  readonly #bar: SingleBar | undefined;
  readonly #reporter: Reporter;
  readonly #startedAt = performance.now();
  #doneFiles = 0;
  /** Of the files that are over. */
  #soundSeconds = 0;
  /** Of the current file. */
  #fileSeconds = 0;

  /** `files`: how many there are to work through. */
  constructor(reporter: Reporter, files: number) {
    this.#reporter = reporter;
    if (!process.stderr.isTTY) return;
    const bar = new SingleBar({
      stream: process.stderr,
      format: '{bar} {percentage}% | {done}/{total} files | {speed}x real time | {eta_formatted} left',
      clearOnComplete: true,
      // What is changed of the terminal would stay so after Ctrl-C.
      hideCursor: false,
      linewrap: true,
    });
    this.#bar = bar;
    bar.start(files, 0, { done: 0, speed: '0.0' });
    reporter.beforeLine = () => {
      process.stderr.write('\r\x1b[K');
    };
    reporter.afterLine = () => {
      bar.render();
    };
  }

  /** The current file has come so far: a share of it (0 to 1), and so much sound. */
  reach(share: number, soundSeconds: number): void {
    this.#fileSeconds = soundSeconds;
    this.#draw(this.#doneFiles + Math.min(1, share));
  }

  /** The current file is over. */
  fileDone(): void {
    this.#doneFiles++;
    this.#soundSeconds += this.#fileSeconds;
    this.#fileSeconds = 0;
    this.#draw(this.#doneFiles);
  }

  /** Takes the bar away. */
  stop(): void {
    this.#bar?.stop();
    this.#reporter.beforeLine = undefined;
    this.#reporter.afterLine = undefined;
  }

  #draw(value: number): void {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const speed = ((this.#soundSeconds + this.#fileSeconds) / Math.max(seconds, 1e-3)).toFixed(1);
    this.#bar?.update(value, { done: this.#doneFiles, speed });
  }
}
