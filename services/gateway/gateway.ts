import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { EntropyTables } from '../../codec/entropy/index.js';
import { loadEntropyTables } from '../../codec/entropyTables.js';
import { TesseraError, type ErrorCode } from '../../protocol/errors.js';
import { selectSubprotocol, SUBPROTOCOL } from '../../protocol/limits.js';
import { Engine, type EngineOptions } from '../engine/index.js';
import { createLog, type Logger } from '../log.js';
import { Connection } from './connection.js';
import { clientFiles, modelFiles } from './clientFiles.js';
import { answerHttp, pathOf, refusal, type Health } from './http.js';
import { DEFAULT_LIMITS, type GatewayLimits } from './limits.js';
import { GatewayMetrics } from './metrics.js';
import { SessionDesk } from './sessionDesk.js';
import { StaticFiles } from './staticFiles.js';
import { StreamHub } from './streamHub.js';
import { studioFiles } from './studioPage.js';

/** Where WebSockets are answered. */
export const STREAM_PATH = '/v1/stream';

const DEFAULT_CLOSE_DEADLINE_MS = 5000;
const MAX_HEADER_BYTES = 8192;
const HEADERS_TIMEOUT_MS = 10_000;
/** Of the bound on connections, however slow the machine is. */
const MIN_SESSIONS = 16;
const RETRY_AFTER_SECONDS = '1';

/** What a gateway may be told. */
export interface GatewayOptions {
  /** The model and what runs it. */
  readonly engine?: Omit<EngineOptions, 'maxQueuedFrames' | 'admitsAll' | 'onRun' | 'onStateChange'>;
  /** Bounds that differ from {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<GatewayLimits>;
  /** Web pages of other origins are refused where this is given; clients that are no browsers send no origin. */
  readonly allowedOrigins?: readonly string[];
  /** JSON lines on standard error when left out. */
  readonly log?: Logger;
  /** Of the package, for `/healthz`. */
  readonly version?: string;
}

/** Where a gateway listens. */
export interface ListenOptions {
  /** 127.0.0.1 when left out: only this machine. */
  readonly host?: string;
  /** 0, or left out: any free port. */
  readonly port?: number;
}

/** A running service: WebSocket sessions and the HTTP answers about them. */
export class Gateway {
  readonly #engine: Engine;
  readonly #limits: GatewayLimits;
  readonly #log: Logger;
  readonly #version: string;
  readonly #allowedOrigins: ReadonlySet<string> | undefined;
  readonly #metrics: GatewayMetrics;
  readonly #hub: StreamHub;
  readonly #desk: SessionDesk;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #connections = new Set<Connection>();
  #onDisconnected: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  /** Use {@link createGateway}. */
  constructor(
    engine: Engine,
    metrics: GatewayMetrics,
    limits: GatewayLimits,
    log: Logger,
    options: GatewayOptions,
    files: StaticFiles,
    entropyTables: EntropyTables | undefined,
  ) {
    this.#engine = engine;
    this.#metrics = metrics;
    this.#limits = limits;
    this.#log = log;
    this.#version = options.version ?? 'unknown';
    this.#allowedOrigins = options.allowedOrigins && new Set(options.allowedOrigins);
    this.#hub = new StreamHub(limits);
    this.#desk = new SessionDesk(
      { engine, hub: this.#hub, entropyTables, limits, metrics, log },
      (session) => {
        for (const connection of this.#connections) {
          if (connection.session === session) {
            connection.end(
              'session_limit',
              'The session has lasted for as long as it may',
              DEFAULT_CLOSE_DEADLINE_MS,
            );
          }
        }
      },
    );
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      // Above the limits, so that what is a little too large is refused in words.
      maxPayload: 2 * Math.max(limits.maxFrameBytes, limits.maxMessageBytes),
      handleProtocols: (offered) => selectSubprotocol(offered) ?? false,
    });
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_TIMEOUT_MS });
    this.#http.on('request', (request, response) => {
      const sources = {
        health: () => this.#health(),
        notReady: () => this.#notReady(),
        metrics: this.#metrics,
        files,
      };
      answerHttp(request, response, sources).catch((error: unknown) => {
        this.#log.error({ reason: String(error) }, 'request failed');
        response.destroy();
      });
    });
    this.#http.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
  }

  /** Host and port that it listens on; undefined before `listen` and after `close`. */
  get address(): AddressInfo | undefined {
    const address = this.#http.address();
    return address === null || typeof address === 'string' ? undefined : address;
  }

  /** Sessions, those that wait for their client to resume included. */
  get sessions(): SessionDesk['sessions'] {
    return this.#desk.sessions;
  }

  /** Streams that are published. */
  get streamCount(): number {
    return this.#hub.streamCount;
  }

  /** Sessions that get one. */
  get subscriberCount(): number {
    return this.#hub.subscriberCount;
  }

  /** See {@link SessionDesk.threadBusyShare}. */
  get threadBusyShare(): number {
    return this.#desk.threadBusyShare;
  }

  /** WebSockets, with or without a session. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Begins to listen. @throws Error of the system, such as for a port that is taken. */
  async listen({ host = '127.0.0.1', port = 0 }: ListenOptions = {}): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(port, host, () => {
        this.#http.off('error', reject);
        resolve();
      });
    });
    const address = this.address;
    if (address === undefined) throw new TesseraError('internal', 'The server has no address');
    const { summary, provider } = this.#engine.model;
    const { workerCount: workers, capacity } = this.#engine;
    this.#log.info(
      { ...address, model: summary.name, version: summary.version, provider, workers, capacity },
      'listening',
    );
    return address;
  }

  /**
   * Stops in order: takes nothing new, tells every session, sends what it has taken so far, closes it with
   * `going_away`; then stops the engine. What is not done by the deadline is cut off. A second call joins the first.
   */
  close({ deadlineMs = DEFAULT_CLOSE_DEADLINE_MS }: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#log.info({ sessions: this.#desk.count, deadlineMs }, 'stopping');
    const isListening = this.#http.listening;
    const stopped = new Promise<void>((resolve) =>
      isListening ? this.#http.close(() => resolve()) : resolve(),
    );
    this.#desk.close();
    const gone = new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.#connections.size === 0) resolve();
      };
      this.#onDisconnected = check;
      check();
    });
    // The last tenth is for the closing handshakes.
    const sessionDeadlineMs = Math.floor(0.9 * deadlineMs);
    for (const connection of this.#connections) {
      connection.end('going_away', 'The server is stopping', sessionDeadlineMs);
    }
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.terminate();
    }, deadlineMs);
    await gone;
    clearTimeout(timer);
    this.#http.closeAllConnections();
    await stopped;
    await this.#engine.close();
    this.#log.info('stopped');
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const refuse = (status: string, code: ErrorCode | 'not_found' | 'forbidden', message: string): void => {
      this.#metrics.errors.inc({ code });
      const headers = status.startsWith('503') ? { 'Retry-After': RETRY_AFTER_SECONDS } : {};
      socket.end(refusal(status, { code, message }, headers), () => socket.destroy());
    };
    const { origin } = request.headers;
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    const path = pathOf(request);
    if (path !== STREAM_PATH) {
      refuse('404 Not Found', 'not_found', `There is no WebSocket at ${path}; connect to ${STREAM_PATH}`);
    } else if (origin !== undefined && this.#allowedOrigins?.has(origin) === false) {
      refuse('403 Forbidden', 'forbidden', `Pages of ${origin} may not connect here`);
    } else if (selectSubprotocol(offered) === undefined) {
      refuse(
        '400 Bad Request',
        'unsupported_version',
        `Offer the WebSocket subprotocol "${SUBPROTOCOL}", the only one that is spoken here`,
      );
    } else if (this.#closing) {
      refuse('503 Service Unavailable', 'going_away', 'The server is stopping');
    } else if (this.#engine.state !== 'ready') {
      refuse('503 Service Unavailable', 'internal', 'The engine is not ready');
    } else if (this.#connections.size >= this.#maxConnections) {
      refuse('503 Service Unavailable', 'at_capacity', 'There are too many connections');
    } else {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) =>
        this.#onConnection(webSocket, socket),
      );
    }
  }

  #onConnection(webSocket: WebSocket, transport: Duplex): void {
    const connection = new Connection(webSocket, transport, this.#desk, () => {
      this.#connections.delete(connection);
      this.#onDisconnected();
    });
    this.#connections.add(connection);
  }

  /** Room for as many clients as sessions to be told `at_capacity` in words. */
  get #maxConnections(): number {
    return 2 * (this.#limits.maxSessions ?? Math.max(MIN_SESSIONS, this.#engine.capacity, this.#desk.count));
  }

  #notReady(): string | undefined {
    if (this.#closing) return 'stopping';
    return this.#engine.state === 'ready' ? undefined : `the engine is ${this.#engine.state}`;
  }

  #health(): Health {
    const { summary, provider } = this.#engine.model;
    return {
      status: this.#closing ? 'stopping' : 'ok',
      version: this.#version,
      model: `${summary.name} ${summary.version}`,
      modelDigest: summary.digest,
      provider,
      sessions: this.#desk.count,
      uptimeSeconds: Math.round(process.uptime()),
    };
  }
}

/**
 * Loads the model and makes a gateway, which `listen` then opens.
 * @throws TesseraError what `CodecModel.load` throws.
 */
export async function createGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const log = options.log ?? createLog();
  const metrics = new GatewayMetrics();
  const engine = await Engine.start({
    ...options.engine,
    // Whoever names a number takes the place of what the engine measures.
    admitsAll: limits.maxSessions !== undefined,
    onRun: (run) => metrics.countRun(run),
    onStateChange: (state, error) => {
      if (error) log.error({ state, reason: error.message }, 'engine lost a worker');
      else log.info({ state }, 'engine');
    },
  });
  const files = new StaticFiles(
    new Map([
      ...(await studioFiles()),
      ...(await clientFiles()),
      ...(await modelFiles(options.engine?.model)),
    ]),
  );
  const entropyTables = await loadEntropyTables(options.engine?.model);
  const gateway = new Gateway(engine, metrics, limits, log, options, files, entropyTables);
  metrics.watch({
    sessions: () => gateway.sessions,
    connections: () => gateway.connectionCount,
    streams: () => gateway.streamCount,
    subscribers: () => gateway.subscriberCount,
    queuedFrames: () => engine.queuedFrames,
    capacity: () => engine.capacity,
    threadBusyShare: () => gateway.threadBusyShare,
    isReady: () => engine.state === 'ready',
  });
  return gateway;
}
