import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A server that is ready to listen. */
export interface StandbyProcess {
  /** Has it listen. */
  readonly listen: () => Promise<ServerProcess>;
  /** Ends it, whatever it does. */
  readonly kill: () => void;
}

/** `tessera serve` in a process of its own, so that the client's work does not count as the server's. */
export class ServerProcess {
  readonly #child: ChildProcess;
  /** Of the WebSocket. */
  readonly url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /**
   * Starts it on a free port of this machine, or that of `--port`; `options` are more of `serve`'s.
   * @throws Error when it does not come up.
   */
  static start(options: readonly string[] = []): Promise<ServerProcess> {
    return ServerProcess.startScript('../tessera.js', ['serve', '--port', '0', '--log', 'warn', ...options]);
  }

  /** Starts another script that says where it listens as `serve` does; `script` is relative to this one. */
  static async startScript(script: string, options: readonly string[]): Promise<ServerProcess> {
    return ServerProcess.#listening(spawnScript(script, options, 'ignore'));
  }

  /**
   * Starts one that loads its model and then waits with listening until it is told to, at a port that may be taken until
   * then. @throws Error when it does not come up.
   */
  static async standBy(options: readonly string[]): Promise<StandbyProcess> {
    const child = spawnScript('./standbyServer.js', options, 'ipc');
    const [message] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
    if (message !== 'ready') throw new Error('The server ended before it was ready');
    return {
      listen: () => {
        child.send('listen');
        return ServerProcess.#listening(child);
      },
      kill: () => child.kill('SIGKILL'),
    };
  }

  static async #listening(child: ChildProcess): Promise<ServerProcess> {
    for await (const line of createInterface({ input: child.stdout! })) {
      const url = /ws:\/\/\S+/.exec(line)?.[0];
      if (url !== undefined) return new ServerProcess(child, url);
    }
    throw new Error('The server ended before it listened');
  }

  /** Its resident memory in bytes, as it reports itself. */
  async residentBytes(): Promise<number> {
    return (await this.metrics()).get('process_resident_memory_bytes') ?? NaN;
  }

  /** Its figures now, by name with labels. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const url = new URL('/metrics', this.url.replace(/^ws/, 'http'));
    const text = await (await fetch(url)).text();
    const lines = text.matchAll(/^([a-z_]\S*) (\S+)$/gm);
    return new Map(Array.from(lines, ([, name = '', value]) => [name, Number(value)]));
  }

  /** Stops it in order. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

function spawnScript(script: string, options: readonly string[], control: 'ignore' | 'ipc'): ChildProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return spawn(process.execPath, [path, ...options], { stdio: ['ignore', 'pipe', 'inherit', control] });
}
