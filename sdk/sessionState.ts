/**
 * Where a client's session stands, across its connections:
 * - `connecting`: the first connection is being made;
 * - `open`: data flows;
 * - `reconnecting`: the connection broke, another is being made; what is sent is kept within a bound;
 * - `closing`: this side has ended the session and waits for the server's last messages;
 * - `closed`: it is over, in order or by an error.
 */
export const CLIENT_STATES = ['connecting', 'open', 'reconnecting', 'closing', 'closed'] as const;
/** One of {@link CLIENT_STATES}. */
export type ClientState = (typeof CLIENT_STATES)[number];

/**
 * What happens to it: `opened` (a connection is up and the server has answered), `lost` (a connection broke or could not
 * be made, another may do), `failed` (an error that another connection would not mend, or no more attempts), `close`
 * (asked for by this side), `ended` (the server has ended it in order).
 */
export const CLIENT_EVENTS = ['opened', 'lost', 'failed', 'close', 'ended'] as const;
/** One of {@link CLIENT_EVENTS}. */
export type ClientEvent = (typeof CLIENT_EVENTS)[number];

const TRANSITIONS: Readonly<Record<ClientState, Readonly<Record<ClientEvent, ClientState | 'ignored'>>>> = {
  // A first connection is not tried again: whoever connects wants to know at once that the address is wrong.
  connecting: { opened: 'open', lost: 'closed', failed: 'closed', close: 'closed', ended: 'closed' },
  open: { opened: 'ignored', lost: 'reconnecting', failed: 'closed', close: 'closing', ended: 'closed' },
  reconnecting: { opened: 'open', lost: 'reconnecting', failed: 'closed', close: 'closed', ended: 'closed' },
  closing: { opened: 'ignored', lost: 'closed', failed: 'closed', close: 'ignored', ended: 'closed' },
  closed: { opened: 'ignored', lost: 'ignored', failed: 'ignored', close: 'ignored', ended: 'ignored' },
};

/** The next state; `ignored`: nothing to do. */
export function clientTransition(state: ClientState, event: ClientEvent): ClientState | 'ignored' {
  return TRANSITIONS[state][event];
}
