import { TesseraError } from './errors.js';

/**
 * The states of one connection, the same seen from server and client:
 * - `connecting`: the socket is up, nothing was said;
 * - `opening`: `open` was sent, the server prepares the session;
 * - `open`: data flows;
 * - `flushing`: data flows, and a `flush` waits for its `flushed`;
 * - `closing`: one side has ended the session, the rest of the output and the last messages are under way;
 * - `closed`: the socket is gone.
 */
export const SESSION_STATES = ['connecting', 'opening', 'open', 'flushing', 'closing', 'closed'] as const;
/** One of {@link SESSION_STATES}. */
export type SessionState = (typeof SESSION_STATES)[number];

/**
 * What happens to a connection: a message of that type (`open` to `close` by the client, `opened` and `flushed` by the
 * server), `data` (a binary frame of the client), `end` (the server sent `error` or `closing`), `disconnected` (the
 * socket closed, on either side or by itself).
 */
export const SESSION_EVENTS = [
  'open',
  'opened',
  'data',
  'bitrate',
  'ack',
  'flush',
  'flushed',
  'close',
  'end',
  'disconnected',
] as const;
/** One of {@link SESSION_EVENTS}. */
export type SessionEvent = (typeof SESSION_EVENTS)[number];

/** The next state; `ignored`: no fault and nothing to do; `refused`: against the protocol (`bad_state`). */
export type SessionTransition = SessionState | 'ignored' | 'refused';

/**
 * The whole protocol of a connection. What still comes from a client that has not yet seen the end of its session is
 * `ignored` and not refused: it was sent in good faith.
 */
const TRANSITIONS: Readonly<Record<SessionState, Readonly<Record<SessionEvent, SessionTransition>>>> = {
  connecting: {
    open: 'opening',
    opened: 'refused',
    data: 'refused',
    bitrate: 'refused',
    ack: 'refused',
    flush: 'refused',
    flushed: 'refused',
    close: 'closing',
    end: 'closing',
    disconnected: 'closed',
  },
  opening: {
    open: 'refused',
    opened: 'open',
    data: 'refused',
    bitrate: 'refused',
    ack: 'refused',
    flush: 'refused',
    flushed: 'refused',
    close: 'closing',
    end: 'closing',
    disconnected: 'closed',
  },
  open: {
    open: 'refused',
    opened: 'refused',
    data: 'open',
    bitrate: 'open',
    ack: 'open',
    flush: 'flushing',
    flushed: 'refused',
    close: 'closing',
    end: 'closing',
    disconnected: 'closed',
  },
  flushing: {
    open: 'refused',
    opened: 'refused',
    data: 'flushing',
    bitrate: 'flushing',
    ack: 'flushing',
    flush: 'refused',
    flushed: 'open',
    close: 'closing',
    end: 'closing',
    disconnected: 'closed',
  },
  closing: {
    open: 'ignored',
    opened: 'ignored',
    data: 'ignored',
    bitrate: 'ignored',
    ack: 'ignored',
    flush: 'ignored',
    flushed: 'ignored',
    close: 'ignored',
    end: 'ignored',
    disconnected: 'closed',
  },
  closed: {
    open: 'ignored',
    opened: 'ignored',
    data: 'ignored',
    bitrate: 'ignored',
    ack: 'ignored',
    flush: 'ignored',
    flushed: 'ignored',
    close: 'ignored',
    end: 'ignored',
    disconnected: 'ignored',
  },
};

/** What `event` does in `state`. */
export function sessionTransition(state: SessionState, event: SessionEvent): SessionTransition {
  return TRANSITIONS[state][event];
}

/** The error for a `refused` event: it names both and says what to wait for. */
export function sessionStateError(state: SessionState, event: SessionEvent): TesseraError {
  const what = event === 'data' ? 'A binary frame' : `The message "${event}"`;
  return new TesseraError('bad_state', `${what} is not allowed ${ADVICE[state]}`);
}

const ADVICE: Readonly<Record<SessionState, string>> = {
  connecting: 'before "open": send "open" first',
  opening: 'before the session is open: wait for "opened"',
  open: 'in an open session',
  flushing: 'while a flush is under way: wait for "flushed"',
  closing: 'in a session that is ending',
  closed: 'after the connection has closed',
};
