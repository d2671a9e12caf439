import type { ClientMessage, OpenMessage } from '../protocol/clientMessages.js';
import { TesseraError } from '../protocol/errors.js';
import type { ServerMessage, ServerMessageOf } from '../protocol/serverMessages.js';
import { backoffDelayMs, type ReconnectOptions } from './backoff.js';
import { endOfMessage, type ConnectionEnd } from './errors.js';
import { Link, type WebSocketConstructor } from './link.js';
import { clientTransition, type ClientEvent, type ClientState } from './sessionState.js';

const DEFAULT_GIVE_UP_MS = 60_000;
/** From the handshake to `opened`. */
const ATTEMPT_TIMEOUT_MS = 10_000;
/** Between `close` and the server's `closed`. */
const CLOSE_TIMEOUT_MS = 5000;

/** What a connector needs to know. */
export interface ConnectorOptions {
  readonly url: string;
  readonly open: OpenMessage;
  readonly WebSocket: WebSocketConstructor;
  /** Undefined: a connection that breaks ends the session. */
  readonly reconnect: ReconnectOptions | undefined;
}

/** Whom it tells, and what it asks. */
export interface ConnectorHost {
  /** First frame that has not arrived, for the server to go on from. */
  readonly nextFrameIndex: () => number;
  /** The session is open, anew or again. */
  readonly onOpened: (opened: ServerMessageOf<'opened'>) => void;
  readonly onMessage: (message: ServerMessage) => void;
  readonly onFrame: (bytes: Uint8Array) => void;
  readonly onState: (state: ClientState) => void;
  /** The session is over; `error` unless it ended in order. */
  readonly onEnd: (error: TesseraError | undefined) => void;
}

/** Keeps one session connected: makes connections until one holds, resumes, gives up, closes. */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #host: ConnectorHost;
  #state: ClientState = 'connecting';
  #link: Link | undefined;
  #resumeToken: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #brokenAtMs = 0;
  #bytes = { sent: 0, received: 0 };

  /** Begins to connect. */
  constructor(options: ConnectorOptions, host: ConnectorHost) {
    this.#options = options;
    this.#host = host;
    this.#connect();
  }

  /** Where the session stands. */
  get state(): ClientState {
    return this.#state;
  }

  /** Payload bytes over all connections so far. */
  get bytes(): { readonly sent: number; readonly received: number } {
    const { sent, received } = this.#bytes;
    return {
      sent: sent + (this.#link?.bytesSent ?? 0),
      received: received + (this.#link?.bytesReceived ?? 0),
    };
  }

  /** Bytes that wait in this machine for the network. */
  get bufferedAmount(): number {
    return this.#link?.bufferedAmount ?? 0;
  }

  /** Since something last came from the server. */
  get silenceMs(): number {
    return this.#link === undefined ? 0 : performance.now() - this.#link.lastReceivedMs;
  }

  /** Sends a binary frame over an open connection; drops it otherwise. */
  send(frame: Uint8Array): void {
    if (this.#state === 'open') this.#link?.send(frame);
  }

  /** Sends a message over an open connection; drops it otherwise. */
  say(message: ClientMessage): void {
    if (this.#state === 'open') this.#link?.say(message);
  }

  /** The connection is up but nothing gets through: makes another. */
  renew(): void {
    if (this.#state !== 'open') return;
    const error = new TesseraError('connection_failed', 'Nothing came from the server for too long');
    this.#link?.forsake({ error, retryable: true });
  }

  /** Tries at once where it waits to: the network is back, as far as the platform knows. */
  hurry(): void {
    if (this.#state !== 'reconnecting' || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** Ends the session. */
  close(): void {
    const next = this.#enter('close');
    if (next === 'closing') {
      this.#link?.say({ type: 'close' });
      this.#timer = setTimeout(() => this.#link?.abandon(undefined), CLOSE_TIMEOUT_MS);
    } else if (next === 'closed') this.#release(undefined);
  }

  /** Ends it with an error of this side. */
  fail(error: TesseraError): void {
    this.#end('failed', error);
  }

  #connect(): void {
    this.#timer = undefined;
    const { url, WebSocket, open } = this.#options;
    const link: Link = new Link(url, WebSocket, ATTEMPT_TIMEOUT_MS, {
      onOpen: () => {
        const token = this.#resumeToken;
        const resume =
          token === undefined ? {} : { resume: { token, nextFrameIndex: this.#host.nextFrameIndex() } };
        link.say({ ...open, ...resume });
      },
      onMessage: (message) => this.#onMessage(message, link),
      onFrame: (bytes) => this.#host.onFrame(bytes),
      onEnd: (end) => this.#onLinkEnd(end, link),
    });
    this.#link = link;
  }

  #onMessage(message: ServerMessage, link: Link): void {
    switch (message.type) {
      case 'opened':
        link.confirm();
        this.#attempt = 0;
        this.#resumeToken = message.resumeToken;
        if (this.#enter('opened') === 'open') this.#host.onOpened(message);
        return;
      case 'closing':
        // It sends what it has and cannot be resumed: what follows is another session.
        if (endOfMessage(message).retryable) this.#resumeToken = undefined;
        return;
      default:
        this.#host.onMessage(message);
    }
  }

  #onLinkEnd(end: ConnectionEnd | undefined, link: Link): void {
    if (this.#link !== link) return;
    this.#bytes = { ...this.bytes };
    this.#link = undefined;
    if (end === undefined || this.#state === 'closing') {
      this.#end('ended', undefined);
    } else if (!end.retryable || this.#options.reconnect === undefined) {
      this.#end('failed', end.error);
    } else {
      const wasOpen = this.#state === 'open';
      if (this.#state === 'connecting') {
        this.#end('lost', end.error);
        return;
      }
      if (this.#enter('lost') !== 'reconnecting') return;
      if (wasOpen) this.#brokenAtMs = performance.now();
      this.#waitAndConnect(end);
    }
  }

  #waitAndConnect({ error, retryAfterMs }: ConnectionEnd): void {
    const outageMs = performance.now() - this.#brokenAtMs;
    const giveUpAfterMs = this.#options.reconnect?.giveUpAfterMs ?? DEFAULT_GIVE_UP_MS;
    if (outageMs >= giveUpAfterMs) {
      this.#end('failed', error);
      return;
    }
    const delayMs = Math.max(retryAfterMs ?? 0, backoffDelayMs(this.#attempt, outageMs, Math.random()));
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#connect(), Math.min(delayMs, giveUpAfterMs - outageMs));
  }

  #enter(event: ClientEvent): ClientState | 'ignored' {
    const next = clientTransition(this.#state, event);
    if (next === 'ignored') return next;
    const isNews = next !== this.#state;
    this.#state = next;
    if (isNews) this.#host.onState(next);
    if (next === 'closed') {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    return next;
  }

  #end(event: ClientEvent, error: TesseraError | undefined): void {
    if (this.#enter(event) === 'closed') this.#release(error);
  }

  #release(error: TesseraError | undefined): void {
    const link = this.#link;
    this.#bytes = { ...this.bytes };
    this.#link = undefined;
    link?.abandon(undefined);
    this.#host.onEnd(error);
  }
}
