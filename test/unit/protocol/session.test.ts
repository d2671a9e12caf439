import {
  SESSION_EVENTS,
  SESSION_STATES,
  sessionStateError,
  sessionTransition,
  type SessionState,
} from '../../../protocol/index.js';
import { SeededRandom } from './random.js';

/** One line per state, one column per event, in the order of SESSION_EVENTS; `-` ignored, `x` refused. */
const EXPECTED = `
  connecting  opening x    x        x        x        x        x    closing closing closed
  opening     x       open x        x        x        x        x    closing closing closed
  open        x       x    open     open     open     flushing x    closing closing closed
  flushing    x       x    flushing flushing flushing x        open closing closing closed
  closing     -       -    -        -        -        -        -    -       -       closed
  closed      -       -    -        -        -        -        -    -       -       -
`;

describe('the session', () => {
  const rows = EXPECTED.trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));

  test('does in every state and on every event what the table says', () => {
    expect(rows.map(([state]) => state)).toEqual(SESSION_STATES);
    for (const [state, ...cells] of rows) {
      expect(cells).toHaveLength(SESSION_EVENTS.length);
      const names = cells.map((cell) => (cell === 'x' ? 'refused' : cell === '-' ? 'ignored' : cell));
      expect(SESSION_EVENTS.map((event) => sessionTransition(state as SessionState, event))).toEqual(names);
    }
  });

  test('walked at random never leaves its states, never comes back from its end, always can end', () => {
    const random = new SeededRandom(77);
    for (let walk = 0; walk < 300; walk += 1) {
      let state: SessionState = 'connecting';
      let ending = false;
      let openedOnce = false;
      for (let step = 0; step < 60; step += 1) {
        const event = random.pick(SESSION_EVENTS.filter((name) => name !== 'disconnected'));
        const next = sessionTransition(state, event);
        if (next === 'ignored' || next === 'refused') continue;
        expect(SESSION_STATES).toContain(next);
        if (next === 'open' || next === 'flushing') {
          openedOnce ||= event === 'opened';
          expect(openedOnce).toBe(true);
          expect(ending).toBe(false);
        }
        ending ||= next === 'closing';
        state = next;
      }
      expect(sessionTransition(state, 'disconnected')).toBe('closed');
    }
  });

  test('says what was refused and what to wait for', () => {
    expect(sessionStateError('connecting', 'data')).toMatchObject({
      code: 'bad_state',
      message: 'A binary frame is not allowed before "open": send "open" first',
    });
    expect(sessionStateError('flushing', 'flush').message).toBe(
      'The message "flush" is not allowed while a flush is under way: wait for "flushed"',
    );
  });
});
