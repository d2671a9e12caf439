import type { ControlEvent, ControlStateName } from './types.js';

/**
 * The states of a controller, and what leads from one to another:
 * - `startup`: the rate grows fast until the link is full for the first time;
 * - `draining`: then as little as possible goes until delays do not fall any more, once: a queue that stood on the link before
 *   the session, of others or of its own opening, is seen by nothing else;
 * - `steady`: the rate stays for a while after it was lowered;
 * - `probing`: the rate grows slowly;
 * - `backing_off`: the rate is below what the link carries, so that the queue drains;
 * - `stalled`: nothing arrives; the smallest packets go, as few as there may be.
 *
 * Events: an acknowledgement shows no queue (`clear`), a short one (`level`) or one that has to go (`overuse`); a state
 * has lasted long enough (`rested`); packets are overdue (`starved`).
 */
export const CONTROL_TRANSITIONS: Readonly<
  Record<ControlStateName, Readonly<Record<ControlEvent, ControlStateName>>>
> = {
  startup: {
    clear: 'startup',
    level: 'startup',
    overuse: 'draining',
    rested: 'startup',
    starved: 'stalled',
  },
  draining: {
    clear: 'draining',
    level: 'draining',
    overuse: 'draining',
    rested: 'steady',
    starved: 'stalled',
  },
  steady: {
    clear: 'steady',
    level: 'steady',
    overuse: 'backing_off',
    rested: 'probing',
    starved: 'stalled',
  },
  probing: {
    clear: 'probing',
    level: 'probing',
    overuse: 'backing_off',
    rested: 'probing',
    starved: 'stalled',
  },
  backing_off: {
    clear: 'steady',
    level: 'backing_off',
    overuse: 'backing_off',
    rested: 'backing_off',
    starved: 'stalled',
  },
  stalled: {
    clear: 'steady',
    level: 'backing_off',
    overuse: 'backing_off',
    rested: 'stalled',
    starved: 'stalled',
  },
};
