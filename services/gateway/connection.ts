import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { OpenMessage } from '../../protocol/clientMessages.js';
import { ERROR_CODES, TesseraError } from '../../protocol/errors.js';
import { decodeClientFrame } from '../../protocol/frames.js';
import { encodeMessage, errorMessage, parseClientMessage } from '../../protocol/messages.js';
import { checkOpenOptions } from '../../protocol/options.js';
import {
  sessionStateError,
  sessionTransition,
  type SessionEvent,
  type SessionState,
} from '../../protocol/session.js';
import type { Logger } from '../log.js';
import type { Session } from './session.js';
import type { SessionClient } from './sessionContext.js';
import type { SessionDesk } from './sessionDesk.js';

const NORMAL_CLOSE = 1000;
/** For a subscriber to get the rest of a stream that has ended. */
const STREAM_END_DEADLINE_MS = 5000;
/** How long a client is told to wait that found no room: at least, and so much more by chance. */
const RETRY_AFTER_MS = { least: 1000, spread: 2000 } as const;

/** One WebSocket: speaks the protocol, keeps its state and its time limits, and stands between socket and session. */
export class Connection implements SessionClient {
  readonly #socket: WebSocket;
  /** What the WebSocket writes to. */
  readonly #transport: Duplex;
  #isGathering = false;
  readonly #desk: SessionDesk;
  readonly #onClosed: () => void;
  #log: Logger;
  #state: SessionState = 'connecting';
  #session: Session | undefined;
  /** For `open` at first, for anything at all later. */
  #deadline: Deadline;
  /** Ends an end that the server has announced. */
  #finishEnd: (() => void) | undefined;
  readonly #pingTimer: NodeJS.Timeout;
  /** Something has come since the last look. */
  #isAlive = true;
  /** Nothing had, and a ping was sent. */
  #isAsked = false;
  #pausesInput = false;
  /** The socket broke the rules of WebSocket itself; such a session is over. */
  #isBroken = false;

  /** `onClosed` is called when the socket is gone. */
  constructor(socket: WebSocket, transport: Duplex, desk: SessionDesk, onClosed: () => void) {
    this.#socket = socket;
    this.#transport = transport;
    this.#desk = desk;
    this.#onClosed = onClosed;
    this.#log = desk.log;
    const { limits } = desk;
    this.#deadline = new Deadline(limits.openTimeoutMs, () => {
      this.#fail(new TesseraError('open_timeout', `No "open" came within ${limits.openTimeoutMs} ms`));
    });
    this.#pingTimer = setInterval(() => this.#ping(), limits.pingIntervalMs).unref();
    socket.on('message', (data, isBinary) => {
      this.#isAlive = true;
      this.#onMessage(data, isBinary);
    });
    socket.on('pong', () => (this.#isAlive = true));
    socket.on('ping', (data) => {
      // A client that does not read gets no pongs either, or they would pile up.
      if (socket.bufferedAmount < limits.maxOutputBufferBytes) socket.pong(data);
    });
    socket.on('error', (error) => {
      this.#isBroken = true;
      this.#log.warn({ reason: error.message }, 'connection broken');
    });
    socket.on('close', (code) => this.#onClose(code));
  }

  /** Where the protocol stands. */
  get state(): SessionState {
    return this.#state;
  }

  readonly send = (data: string | Uint8Array, onTaken?: () => void): void => {
    this.#gather();
    this.#socket.send(data, { binary: typeof data !== 'string' }, () => onTaken?.());
  };

  readonly onPause = (paused: boolean): void => {
    if (paused === this.#pausesInput || (paused && this.#state === 'closing')) return;
    this.#pausesInput = paused;
    if (paused) {
      this.#deadline.stop();
      this.#socket.pause();
    } else {
      this.#isAlive = true;
      this.#deadline.restart();
      this.#socket.resume();
    }
  };

  readonly onError = (error: TesseraError): void => {
    // A session that is ending anyway ends with what it has.
    if (this.#finishEnd) this.#finishEnd();
    else this.#fail(error);
  };

  readonly onFlushed = (): void => {
    this.#enter('flushed');
  };

  readonly onStreamEnd = (): void => {
    this.end('stream_ended', 'The stream has ended', STREAM_END_DEADLINE_MS);
  };

  /** The server ends the session by itself: says so, sends what was taken, and closes. */
  end(code: 'going_away' | 'session_limit' | 'stream_ended', message: string, deadlineMs: number): void {
    const session = this.#session;
    if (session === undefined || (this.#state !== 'open' && this.#state !== 'flushing')) {
      this.#fail(new TesseraError(code, message));
      return;
    }
    this.#stop('end');
    this.send(encodeMessage({ type: 'closing', code, message, deadlineMs }));
    const finish = (): void => {
      clearTimeout(timer);
      this.#finishEnd = undefined;
      if (this.#session !== session) return;
      session.sayClosed();
      this.#endSession();
      this.#socket.close(ERROR_CODES[code].closeCode, code);
    };
    const timer = setTimeout(finish, deadlineMs);
    this.#finishEnd = finish;
    session.drain(finish);
  }

  /** The session that it serves. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Ends the connection without a word. */
  terminate(): void {
    this.#socket.terminate();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#isAlive = true;
    if (!this.#pausesInput && this.#session) this.#deadline.restart();
    try {
      // `ws` gives one Buffer unless told otherwise.
      if (isBinary) this.#onFrame(data as Buffer);
      else this.#onControl(data as Buffer);
    } catch (error) {
      this.#fail(TesseraError.from(error));
    }
  }

  #onFrame(bytes: Buffer): void {
    if (!this.#enter('data')) return;
    const { limits, model } = this.#desk;
    const frame = decodeClientFrame(bytes, {
      codebookSize: model.codebookSize,
      maxQuantizers: model.quantizers,
      maxFramesPerPacket: limits.maxFramesPerPacket,
      maxFrameBytes: limits.maxFrameBytes,
    });
    this.#session?.takeFrame(frame, bytes.length);
  }

  #onControl(bytes: Buffer): void {
    const { maxMessageBytes } = this.#desk.limits;
    if (bytes.length > maxMessageBytes) {
      throw new TesseraError(
        'frame_too_large',
        `A control message has at most ${maxMessageBytes} bytes; this one has ${bytes.length}`,
      );
    }
    const message = parseClientMessage(bytes.toString('utf8'));
    if (!this.#enter(message.type)) return;
    switch (message.type) {
      case 'open':
        this.#deadline.stop();
        void this.#open(message);
        return;
      case 'close':
        this.#stop();
        this.#session?.sayClosed();
        this.#endSession();
        this.#socket.close(NORMAL_CLOSE);
        return;
      default:
        this.#session?.takeMessage(message);
    }
  }

  async #open(open: OpenMessage): Promise<void> {
    try {
      checkOpenOptions(open, this.#desk.limits);
      const session = await this.#desk.open(open);
      if (this.#state !== 'opening') {
        this.#desk.abandon(session, open);
        return;
      }
      this.#session = session;
      this.#log = this.#desk.log.child({ sessionId: session.id });
      this.#enter('opened');
      this.#desk.start(session, open, this, () => this.#replace());
      const { idleTimeoutMs } = this.#desk.limits;
      this.#deadline = new Deadline(idleTimeoutMs, () => {
        this.#fail(new TesseraError('idle_timeout', `Nothing came for ${idleTimeoutMs} ms`));
      });
      if (this.#pausesInput) this.#deadline.stop();
    } catch (error) {
      this.#fail(TesseraError.from(error));
    }
  }

  /** What is sent in one go, such as the packets of one run, goes to the system at once: that is what sending costs. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#transport.cork();
    process.nextTick(() => {
      this.#isGathering = false;
      this.#transport.uncork();
    });
  }

  /** Moves on in the protocol. @returns whether the event counts. @throws TesseraError `bad_state` where it is refused. */
  #enter(event: SessionEvent): boolean {
    const next = sessionTransition(this.#state, event);
    if (next === 'ignored') return false;
    if (next === 'refused') throw sessionStateError(this.#state, event);
    this.#state = next;
    return true;
  }

  /** No more input: timers end, and the socket is read so that its close is seen. */
  #stop(event?: 'end'): void {
    if (this.#pausesInput) this.onPause(false);
    if (event) this.#enter(event);
    this.#deadline.stop();
  }

  #fail(cause: TesseraError): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    const hasCloseCode = ERROR_CODES[cause.code].closeCode !== null;
    const error = hasCloseCode ? cause : new TesseraError('internal', cause.message, { cause });
    this.#stop('end');
    this.#desk.metrics.errors.inc({ code: error.code });
    this.#log.info({ code: error.code, reason: error.message }, 'connection refused or ended');
    const retryAfterMs = error.code === 'at_capacity' ? chooseRetryDelayMs() : undefined;
    this.send(encodeMessage(errorMessage(error, retryAfterMs)));
    this.#endSession();
    this.#socket.close(ERROR_CODES[error.code].closeCode ?? NORMAL_CLOSE, error.code);
  }

  /** Another connection has taken the session over. */
  #replace(): void {
    this.#session = undefined;
    this.#socket.terminate();
  }

  #endSession(): void {
    const session = this.#session;
    this.#session = undefined;
    if (session) this.#desk.end(session);
  }

  #onClose(code: number): void {
    clearInterval(this.#pingTimer);
    this.#deadline.stop();
    const wasOpen = this.#state === 'open' || this.#state === 'flushing';
    this.#enter('disconnected');
    const session = this.#session;
    this.#session = undefined;
    if (session) {
      // 1006: the connection broke, nobody has closed it.
      if (wasOpen && code === 1006 && !this.#isBroken) this.#desk.keep(session);
      else this.#desk.end(session);
    }
    this.#onClosed();
  }

  #ping(): void {
    // While the socket is paused no pong can be read.
    if (this.#pausesInput) return;
    if (this.#isAlive) {
      // Who speaks is there: on a slow link a ping and its answer would cost as much as two packets.
      this.#isAlive = false;
      this.#isAsked = false;
    } else if (this.#isAsked) {
      this.#socket.terminate();
    } else {
      this.#isAsked = true;
      this.#socket.ping();
    }
  }
}

/** Those who were refused together do not come back together. */
function chooseRetryDelayMs(): number {
  return Math.round(RETRY_AFTER_MS.least + Math.random() * RETRY_AFTER_MS.spread);
}

/** Calls back unless it is restarted or stopped in time. */
class Deadline {
  readonly #timer: NodeJS.Timeout;
  #isStopped = false;

  constructor(delayMs: number, onMissed: () => void) {
    this.#timer = setTimeout(() => {
      if (!this.#isStopped) onMissed();
    }, delayMs).unref();
  }

  restart(): void {
    this.#isStopped = false;
    this.#timer.refresh();
  }

  stop(): void {
    this.#isStopped = true;
  }
}
