import { Option, type Command } from 'commander';
import { TesseraError } from '../../protocol/index.js';
import {
  createGateway,
  STREAM_PATH,
  type Gateway,
  type ListenOptions,
} from '../../services/gateway/index.js';
import { createLog, LOG_LEVELS, type LogLevel } from '../../services/log.js';
import { addModelOptions, integer, type ModelOptions } from '../cli/options.js';
import { packageVersion } from '../cli/version.js';

/** Where `serve` listens: only this machine can reach it. */
export const DEFAULT_ADDRESS = { host: '127.0.0.1', port: 8080 } as const;

/** The highest TCP port. */
export const MAX_PORT = 65_535;

interface ServeOptions extends ModelOptions {
  readonly port: number;
  readonly host: string;
  readonly threads?: number;
  readonly maxSessions?: number;
  readonly allowOrigin?: string[];
  readonly log: LogLevel;
}

const HELP = `
Clients speak tessera.v1, which protocol/README.md specifies. HTTP answers at /healthz, /readyz and /metrics. The log is
JSON lines on standard error. SIGTERM or Ctrl-C stops it in order: sessions are told and finish what they have.

There is no authentication: put it behind a proxy that has it before letting other machines in with --host.

Examples:
  tessera serve
  tessera serve --host 0.0.0.0 --port 9000 --max-sessions 8`;

/** Adds `tessera serve`. */
export function addServeCommand(program: Command): void {
  const command = program
    .command('serve')
    .summary('serve live sessions over WebSocket')
    .description('Serve live sessions over WebSocket: speech to tokens, tokens to speech, or through both.')
    .option(
      '--port <port>',
      'port to listen on; 0 takes any free one',
      integer(0, MAX_PORT),
      DEFAULT_ADDRESS.port,
    )
    .option('--host <host>', 'address to listen on', DEFAULT_ADDRESS.host)
    .option('--threads <count>', 'worker threads (default: cores - 1 on cpu, 2 on a GPU)', integer(1))
    .option('--max-sessions <count>', 'sessions at once (default: what is measured)', integer(1))
    .option(
      '--allow-origin <origins...>',
      'web pages that may connect, such as https://example.org (default: all)',
    )
    .addOption(new Option('--log <level>', 'how much is logged').choices([...LOG_LEVELS]).default('info'));
  addModelOptions(command)
    .addHelpText('after', HELP)
    .action(async (options: ServeOptions) => {
      const server = await startServer(options);
      process.stdout.write(`Tessera listens on ${server.url}\n`);
      await untilStopped(server.gateway);
    });
}

/** A server that listens. */
export interface RunningServer {
  readonly gateway: Gateway;
  /** Of the WebSocket. */
  readonly url: string;
  /** Of the HTTP answers, without a path. */
  readonly httpUrl: string;
}

/** Loads the model and listens. @throws TesseraError `listen_failed`, and what `createGateway` throws. */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const { model, provider, threads, maxSessions, allowOrigin } = options;
  const gateway = await createGateway({
    engine: {
      model,
      provider,
      ...(threads === undefined ? {} : { threads }),
    },
    ...(maxSessions === undefined ? {} : { limits: { maxSessions } }),
    ...(allowOrigin === undefined ? {} : { allowedOrigins: allowOrigin }),
    log: createLog(options.log),
    version: packageVersion(),
  });
  try {
    const { address, port } = await gateway.listen({ host: options.host, port: options.port });
    const authority = `${address.includes(':') ? `[${address}]` : address}:${port}`;
    return { gateway, url: `ws://${authority}${STREAM_PATH}`, httpUrl: `http://${authority}` };
  } catch (error) {
    await gateway.close();
    throw listenFailure(error, options);
  }
}

/** Serves until SIGINT, SIGTERM or SIGHUP, then stops in order; a second signal ends the process at once. */
export async function untilStopped(gateway: Gateway): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  await new Promise<void>((resolve) => {
    const stop = (): void => {
      for (const signal of signals) process.off(signal, stop);
      resolve();
    };
    for (const signal of signals) process.on(signal, stop);
  });
  await gateway.close();
}

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there already: stop it, or choose another --port',
  EACCES: 'this port needs more rights: choose one from 1024 up',
  EADDRNOTAVAIL: 'this machine has no such address: choose another --host',
  ENOTFOUND: 'there is no such host: choose another --host',
};

function listenFailure(error: unknown, { host = '', port = 0 }: ListenOptions): TesseraError {
  if (error instanceof TesseraError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  const reason = LISTEN_REASONS[code] ?? message;
  return new TesseraError('listen_failed', `${host}:${port}: ${reason}`, { cause: error });
}
