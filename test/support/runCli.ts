import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The command line as it ships. */
export const CLI_PATH = fileURLToPath(new URL('../../scripts/tessera.js', import.meta.url));

/** How a process ended, and everything it printed. */
export interface FinishedProcess {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** What a process runs with. */
export interface CliOptions {
  /** Becomes standard input; without it that is empty. */
  readonly input?: Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `tessera` with its standard streams as pipes. */
export function startCli(args: readonly string[], options: CliOptions = {}): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [CLI_PATH, ...args], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, TESSERA_DEBUG: '', ...options.env },
  });
  // A process that fails, or is ended, does not read its input to the end.
  child.stdin.on('error', () => undefined);
  return child;
}

/** Collects what a process prints until it has ended. */
export function finished(child: ChildProcessWithoutNullStreams): Promise<FinishedProcess> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const text = Buffer.concat(stderr).toString('utf8');
      resolve({ code, signal, stdout: Buffer.concat(stdout), stderr: text });
    });
  });
}

/** Runs `tessera` to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<FinishedProcess> {
  const child = startCli(args, options);
  child.stdin.end(options.input ?? new Uint8Array());
  return finished(child);
}
