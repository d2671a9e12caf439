import { once } from 'node:events';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import {
  decodeServerFrame,
  encodeFrame,
  encodeMessage,
  parseServerMessage,
  SUBPROTOCOL,
  type ClientFrame,
  type ClientMessage,
  type GapFrame,
  type OpenMessage,
  type PcmFrame,
  type ServerFrame,
  type ServerMessage,
  type ServerMessageOf,
  type TokensFrame,
} from '../../protocol/index.js';

/** What a server sent, in order. */
export type ServerEvent =
  | { readonly kind: 'message'; readonly message: ServerMessage }
  | { readonly kind: 'frame'; readonly frame: ServerFrame };

/** A client that keeps everything that it is sent. It knows the protocol package and nothing of the server's code. */
export class GatewayClient {
  readonly socket: WebSocket;
  readonly events: ServerEvent[] = [];
  /** Close code and reason, once the socket is closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  /** Payload bytes of AUDIO sent. */
  byteOffset = 0;
  /** Whether it says `ack` for each packet of tokens, as rate control needs. */
  acknowledges = false;
  #waiters: (() => void)[] = [];
  #isClosed = false;
  readonly #seen = new Map<ServerMessage['type'], number>();
  #opened: ServerMessageOf<'opened'> | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#isClosed = true;
        this.#wake();
        resolve({ code, reason: reason.toString() });
      });
    });
    socket.on('error', () => undefined);
    socket.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
  }

  /** Connects and nothing more. */
  static async connect(port: number): Promise<GatewayClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream`, SUBPROTOCOL);
    const client = new GatewayClient(socket);
    await once(socket, 'open');
    return client;
  }

  /** Connects and opens a session. */
  static async open(port: number, open: Omit<OpenMessage, 'type' | 'version'>): Promise<GatewayClient> {
    const client = await GatewayClient.connect(port);
    client.send({ type: 'open', version: 1, ...open });
    await client.waitFor('opened');
    return client;
  }

  get opened(): ServerMessageOf<'opened'> {
    if (!this.#opened) throw new Error('The session is not open');
    return this.#opened;
  }

  get messages(): ServerMessage[] {
    return this.events.flatMap((event) => (event.kind === 'message' ? event.message : []));
  }

  get frames(): ServerFrame[] {
    return this.events.flatMap((event) => (event.kind === 'frame' ? event.frame : []));
  }

  get tokens(): TokensFrame[] {
    return this.frames.filter((frame) => frame.kind === 'tokens');
  }

  get pcm(): PcmFrame[] {
    return this.frames.filter((frame) => frame.kind === 'pcm');
  }

  get gaps(): GapFrame[] {
    return this.frames.filter((frame) => frame.kind === 'gap');
  }

  send(message: ClientMessage): void {
    this.socket.send(encodeMessage(message));
  }

  /** What `action` sends arrives together, so that nothing is answered in between. */
  inOneWrite(action: () => void): void {
    const { _socket: tcp } = this.socket as unknown as { readonly _socket: Socket };
    tcp.cork();
    action();
    tcp.uncork();
  }

  sendFrame(frame: ClientFrame): void {
    this.socket.send(encodeFrame(frame, this.opened.model));
  }

  /** Sends the next bytes of the input in pieces, `sizes` taken in turn. */
  sendAudio(bytes: Uint8Array, ...sizes: number[]): void {
    for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
      const payload = bytes.subarray(at, at + (sizes[turn % sizes.length] ?? bytes.length));
      this.sendFrame({ kind: 'audio', byteOffset: this.byteOffset, payload });
      this.byteOffset += payload.length;
      at += payload.length;
    }
  }

  /** Asks for the rest of the output and waits for it. */
  async flush(): Promise<ServerMessageOf<'flushed'>> {
    this.send({ type: 'flush' });
    return this.waitFor('flushed');
  }

  /** Ends the session and waits for the server to do so too. */
  async close(): Promise<ServerMessageOf<'closed'>> {
    this.send({ type: 'close' });
    const closed = await this.waitFor('closed');
    await this.closed;
    return closed;
  }

  /** The next message of a type that was not waited for before. */
  async waitFor<Type extends ServerMessage['type']>(type: Type): Promise<ServerMessageOf<Type>> {
    const seen = this.#seen.get(type) ?? 0;
    this.#seen.set(type, seen + 1);
    const find = (): ServerMessage | undefined =>
      this.messages.filter((message) => message.type === type)[seen];
    await this.until(() => find() !== undefined);
    return find() as ServerMessageOf<Type>;
  }

  /** Waits until what came makes `test` true. @throws when the socket closes before. */
  async until(test: () => boolean): Promise<void> {
    while (!test()) {
      if (this.#isClosed) throw new Error(`The socket closed: ${JSON.stringify(this.messages.at(-1))}`);
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Lets go of everything that came so far. */
  forget(): void {
    this.events.length = 0;
    this.#seen.clear();
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      const { model, limits } = this.opened;
      const context = { ...limits, codebookSize: model.codebookSize, maxQuantizers: model.quantizers };
      const frame = decodeServerFrame(new Uint8Array(data), context);
      this.#add({ kind: 'frame', frame });
      if (this.acknowledges && frame.kind !== 'pcm') {
        const nextFrameIndex = frame.firstFrameIndex + frame.frameCount;
        const nowMs = performance.now();
        this.send({ type: 'ack', nextFrameIndex, bufferMs: 0, arrivalMs: nowMs, saidMs: nowMs });
      }
      return;
    }
    const message = parseServerMessage(data.toString());
    if (message.type === 'opened') this.#opened = message;
    this.#add({ kind: 'message', message });
  }

  #add(event: ServerEvent): void {
    this.events.push(event);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
