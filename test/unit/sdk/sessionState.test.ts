import { CLIENT_EVENTS, CLIENT_STATES, clientTransition } from '../../../sdk/sessionState.js';

const TABLE = `
             opened  lost          failed  close    ended
connecting   open    closed        closed  closed   closed
open         ignored reconnecting  closed  closing  closed
reconnecting open    reconnecting  closed  closed   closed
closing      ignored closed        closed  ignored  closed
closed       ignored ignored       ignored ignored  ignored`;

const [events, ...rows] = TABLE.trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/));

test('the table is about every state and event', () => {
  expect(events).toEqual([...CLIENT_EVENTS]);
  expect(rows.map(([state]) => state)).toEqual([...CLIENT_STATES]);
});

test.each(rows.flatMap(([state, ...next]) => next.map((to, index) => [state!, events![index]!, to])))(
  '%s, %s: %s',
  (state, event, next) => {
    expect(
      clientTransition(state as (typeof CLIENT_STATES)[number], event as (typeof CLIENT_EVENTS)[number]),
    ).toBe(next);
  },
);
