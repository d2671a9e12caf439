import { TesseraError } from '../../protocol/errors.js';
import type { ErrorCode } from '../../protocol/errors.js';

/** Exit codes of every command. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** Codes that mean that the command line was wrong, not the work. */
const USAGE_CODES: readonly ErrorCode[] = ['usage', 'bad_options'];

/** The exit code of a command that ended with `error`. */
export function exitCodeOf(error: unknown): number {
  return error instanceof TesseraError && USAGE_CODES.includes(error.code) ? EXIT.usage : EXIT.failure;
}

/** One line for people and for scripts: `<file>: <reason> [code]`, the file only where it is known. */
export function describeError(error: unknown, file?: string): string {
  const { code, message } = TesseraError.from(error);
  const reason = message.replace(/\s*\n\s*/g, ' ').replace(/\.$/, '');
  const isNamed = file === undefined || reason.startsWith(`${file}: `);
  return `${isNamed ? '' : `${file}: `}${reason} [${code}]`;
}

/** Where messages go, so that a progress bar can step aside for them. */
export class Reporter {
  /** Set while a progress bar is drawn: clears its line. */
  beforeLine: (() => void) | undefined;
  /** Set while a progress bar is drawn: draws it again. */
  afterLine: (() => void) | undefined;

  /** An error as one line on standard error, with its stack where TESSERA_DEBUG is set. */
  error(error: unknown, file?: string): void {
    this.#print(`tessera: ${describeError(error, file)}`);
    if (process.env['TESSERA_DEBUG'] && error instanceof Error) this.#print(debugText(error));
  }

  /** A warning as one line on standard error. */
  warning(error: unknown, file?: string): void {
    this.#print(`tessera: warning: ${describeError(error, file)}`);
  }

  /** A plain line on standard error. */
  note(text: string): void {
    this.#print(`tessera: ${text}`);
  }

  #print(line: string): void {
    this.beforeLine?.();
    process.stderr.write(`${line}\n`);
    this.afterLine?.();
  }
}

function debugText(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${debugText(error.cause)}` : own;
}
