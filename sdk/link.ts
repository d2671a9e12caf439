import type { ClientMessage } from '../protocol/clientMessages.js';
import { TesseraError } from '../protocol/errors.js';
import { SUBPROTOCOL } from '../protocol/limits.js';
import type { ServerMessage } from '../protocol/serverMessages.js';
import { endOfClose, endOfMessage, type ConnectionEnd } from './errors.js';
import { readServerMessage } from './serverReader.js';

/** What of a WebSocket the client uses: the browser's, that of Node 22, and that of `ws` all have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

/** Makes WebSockets: `WebSocket` itself. */
export type WebSocketConstructor = new (url: string, protocols: string) => WebSocketLike;

/** Whom a link tells. */
export interface LinkHandlers {
  readonly onOpen: () => void;
  readonly onMessage: (message: ServerMessage) => void;
  readonly onFrame: (bytes: Uint8Array) => void;
  /** Once, after which nothing more comes; undefined where the session ended in order. */
  readonly onEnd: (end: ConnectionEnd | undefined) => void;
}

const OPEN = 1;
const NORMAL_CLOSE = 1000;

/** One WebSocket, from its handshake to its end. */
export class Link {
  readonly #socket: WebSocketLike;
  readonly #handlers: LinkHandlers;
  readonly #deadline: ReturnType<typeof setTimeout>;
  /** What the server said of the end before it closed. */
  #announced: ConnectionEnd | undefined;
  #isOver = false;
  bytesSent = 0;
  bytesReceived = 0;
  /** When something last came, in milliseconds of `performance.now()`. */
  lastReceivedMs = performance.now();

  constructor(url: string, WebSocketClass: WebSocketConstructor, timeoutMs: number, handlers: LinkHandlers) {
    this.#handlers = handlers;
    const socket = new WebSocketClass(url, SUBPROTOCOL);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    this.#deadline = setTimeout(() => {
      this.abandon({
        error: new TesseraError('connection_failed', `${url} did not answer within ${timeoutMs} ms`),
        retryable: true,
      });
    }, timeoutMs);
    socket.onopen = () => {
      if (!this.#isOver) handlers.onOpen();
    };
    socket.onmessage = ({ data }: { readonly data: string | ArrayBuffer }) => this.#onData(data);
    socket.onclose = ({ code }: { readonly code: number }) => {
      this.#finish(code === NORMAL_CLOSE ? undefined : (this.#announced ?? endOfClose(code, url)));
    };
    // What it says is in the close event that follows.
    socket.onerror = () => undefined;
  }

  /** Bytes that wait in this machine for the network. */
  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  /** The session is open: the deadline of the handshake is met. */
  confirm(): void {
    clearTimeout(this.#deadline);
  }

  /** Sends a control message. */
  say(message: ClientMessage): void {
    this.send(JSON.stringify(message));
  }

  /** Sends text or a binary frame; what is sent after the end is dropped. */
  send(data: string | Uint8Array): void {
    if (this.#isOver || this.#socket.readyState !== OPEN) return;
    this.bytesSent += data.length;
    this.#socket.send(data as string | Uint8Array<ArrayBuffer>);
  }

  /**
   * The connection seems dead. It is left as it is: a close frame that got through after all would end the session,
   * which the next connection is to resume, and that cuts this one off.
   */
  forsake(end: ConnectionEnd): void {
    this.#finish(end);
  }

  /** Ends the link from this side without waiting for the other. */
  abandon(end: ConnectionEnd | undefined): void {
    if (this.#isOver) return;
    this.#finish(end);
    try {
      this.#socket.close(NORMAL_CLOSE);
    } catch {
      // A socket that is still being made may refuse; it goes with its last reference.
    }
  }

  #onData(data: string | ArrayBuffer): void {
    if (this.#isOver) return;
    this.lastReceivedMs = performance.now();
    try {
      if (typeof data !== 'string') {
        this.bytesReceived += data.byteLength;
        this.#handlers.onFrame(new Uint8Array(data));
        return;
      }
      this.bytesReceived += data.length;
      const message = readServerMessage(data);
      if (message.type === 'error') this.#announced = endOfMessage(message);
      if (message.type === 'closing') this.#announced = endOfMessage(message);
      this.#handlers.onMessage(message);
    } catch (error) {
      this.abandon({ error: TesseraError.from(error), retryable: false });
    }
  }

  #finish(end: ConnectionEnd | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#deadline);
    this.#handlers.onEnd(end);
  }
}
