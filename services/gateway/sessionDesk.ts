import { performance } from 'node:perf_hooks';
import type { OpenMessage } from '../../protocol/clientMessages.js';
import { TesseraError } from '../../protocol/errors.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { Logger } from '../log.js';
import type { GatewayLimits } from './limits.js';
import type { GatewayMetrics } from './metrics.js';
import { Session } from './session.js';
import type { SessionClient, SessionContext } from './sessionContext.js';
import { ThreadRoom } from './threadRoom.js';

/** How often the desk looks how busy its thread is. */
const ROOM_INTERVAL_MS = 1000;

interface Entry {
  readonly session: Session;
  /** Cuts off the connection that the session is attached to. */
  replace: (() => void) | undefined;
  /** Runs while the session waits for its client. */
  waiting: NodeJS.Timeout | undefined;
  readonly longest: NodeJS.Timeout;
  /** It has lasted for as long as it may: nobody can take it over any more. */
  isOver: boolean;
}

/** Opens sessions, finds those that are resumed, keeps those whose connection broke, and counts them. */
export class SessionDesk {
  readonly #context: SessionContext;
  readonly #sessions = new Map<Session, Entry>();
  /** Sessions that are being opened count too. */
  #opening = 0;
  readonly #room = new ThreadRoom();
  readonly #roomTimer: NodeJS.Timeout;
  #isClosed = false;
  #onSessionLimit: (session: Session) => void;

  /** `onSessionLimit` is called for an attached session that has lasted for as long as it may. */
  constructor(context: SessionContext, onSessionLimit: (session: Session) => void) {
    this.#context = context;
    this.#onSessionLimit = onSessionLimit;
    let last = performance.eventLoopUtilization();
    this.#roomTimer = setInterval(() => {
      const { utilization } = performance.eventLoopUtilization(last);
      last = performance.eventLoopUtilization();
      this.#room.observe(utilization, this.count);
    }, ROOM_INTERVAL_MS).unref();
  }

  get limits(): GatewayLimits {
    return this.#context.limits;
  }

  get metrics(): GatewayMetrics {
    return this.#context.metrics;
  }

  get log(): Logger {
    return this.#context.log;
  }

  get model(): ModelSummary {
    return this.#context.engine.model.summary;
  }

  /** All sessions, those that wait for their client included. */
  get sessions(): Iterable<Session> {
    return this.#sessions.keys();
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** Share of the last second that the thread of all sockets was busy, 0 to 1. */
  get threadBusyShare(): number {
    return this.#room.busyShare;
  }

  /**
   * The session that `open` asks for: the one to resume where it is found, else a new one. {@link start} or
   * {@link abandon} follows.
   * @throws TesseraError `at_capacity`, `going_away`, `bad_options`, and what `Session.create` throws.
   */
  async open(open: OpenMessage): Promise<Session> {
    if (this.#isClosed) throw new TesseraError('going_away', 'The server is stopping');
    const found = this.#find(open);
    if (found && open.resume) {
      found.session.checkResume(open, open.resume.nextFrameIndex);
      return found.session;
    }
    this.#requireRoom(this.#sessions.size + this.#opening + 1);
    this.#opening += 1;
    try {
      const session = await Session.create(open, this.#context);
      const longest = setTimeout(() => this.#reachLimit(session), this.limits.maxSessionMs).unref();
      this.#sessions.set(session, {
        session,
        replace: undefined,
        waiting: undefined,
        longest,
        isOver: false,
      });
      this.metrics.sessionsOpened.inc({ mode: open.mode });
      return session;
    } finally {
      this.#opening -= 1;
    }
  }

  /**
   * Attaches a connection to what {@link open} gave: answers `opened`. `replace` cuts the connection off when another
   * one takes the session over.
   */
  start(session: Session, open: OpenMessage, client: SessionClient, replace: () => void): void {
    const entry = this.#sessions.get(session);
    if (entry === undefined) throw new TesseraError('internal', 'The session is gone');
    const { replace: replaceLast } = entry;
    entry.replace = replace;
    if (open.resume?.token !== session.resumeToken) {
      session.start(client);
      return;
    }
    clearTimeout(entry.waiting);
    entry.waiting = undefined;
    if (session.isAttached) {
      replaceLast?.();
      session.detach();
    }
    session.resume(client, open.resume.nextFrameIndex);
    this.metrics.sessionsResumed.inc();
  }

  /**
   * The connection was over before {@link start}. A new session ends, for nobody can resume what was never answered;
   * one that was to be resumed stays as it was.
   */
  abandon(session: Session, open: OpenMessage): void {
    if (open.resume?.token !== session.resumeToken) this.end(session);
  }

  /** The connection broke: the session waits for another, if sessions do that here. */
  keep(session: Session): void {
    const entry = this.#sessions.get(session);
    if (entry === undefined) return;
    if (this.#isClosed || this.limits.resumeWindowMs === 0) {
      this.end(session);
      return;
    }
    session.detach();
    entry.waiting = setTimeout(() => this.end(session), this.limits.resumeWindowMs).unref();
  }

  /** The session is over. */
  end(session: Session): void {
    const entry = this.#sessions.get(session);
    clearTimeout(entry?.waiting);
    clearTimeout(entry?.longest);
    this.#sessions.delete(session);
    session.end();
  }

  /** Opens nothing any more, and ends what waits for its client. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#roomTimer);
    for (const { session } of [...this.#sessions.values()]) if (!session.isAttached) this.end(session);
  }

  /** @throws TesseraError `at_capacity` where so many sessions are too many for the gateway; the engine has its own say. */
  #requireRoom(sessions: number): void {
    const { maxSessions } = this.limits;
    if (maxSessions !== undefined && sessions > maxSessions) {
      throw new TesseraError('at_capacity', `All ${maxSessions} sessions of this server are taken`);
    }
    if (maxSessions === undefined && !this.#room.holds(sessions)) {
      throw new TesseraError('at_capacity', 'This server has as many connections as it can keep in time');
    }
  }

  #find({ resume }: OpenMessage): Entry | undefined {
    if (resume === undefined) return undefined;
    for (const entry of this.#sessions.values()) {
      if (!entry.isOver && entry.session.resumeToken === resume.token) return entry;
    }
    return undefined;
  }

  #reachLimit(session: Session): void {
    const entry = this.#sessions.get(session);
    if (entry === undefined) return;
    entry.isOver = true;
    if (session.isAttached) this.#onSessionLimit(session);
    else this.end(session);
  }
}
