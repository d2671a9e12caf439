import { ThreadRoom } from '../../../services/gateway/threadRoom.js';

/** The greatest number of sessions that a room holds. */
function most(room: ThreadRoom): number {
  let sessions = 0;
  while (room.holds(sessions + 1)) sessions += 1;
  return sessions;
}

describe('ThreadRoom', () => {
  test('before it has seen any it holds what a slow machine carries', () => {
    expect(most(new ThreadRoom())).toBe(320);
  });

  test('learns from sessions that take less, down to a bound', () => {
    const room = new ThreadRoom();
    room.observe(0.3, 300);
    expect(room.busyShare).toBe(0.3);
    expect(most(room)).toBe(800);
    room.observe(0.001, 300);
    expect(most(room)).toBe(300 + Math.floor(0.799 / (0.0025 / 8)));
  });

  test('a busy thread takes no more, however few sessions one expects of it; room comes back when they go', () => {
    const room = new ThreadRoom();
    room.observe(0.85, 600);
    expect(room.holds(601)).toBe(false);
    expect(room.holds(599)).toBe(false);
    room.observe(0.5, 350);
    expect(room.holds(351)).toBe(true);
  });

  test('sessions that came since the last look count', () => {
    const room = new ThreadRoom();
    room.observe(0.7, 280);
    expect(most(room)).toBe(280 + Math.floor(0.1 / 0.0025));
  });

  test('a few sessions are always taken: others keep the thread busy for a while', () => {
    const room = new ThreadRoom();
    room.observe(1, 3);
    expect(room.holds(32)).toBe(true);
    expect(room.holds(33)).toBe(false);
  });
});
