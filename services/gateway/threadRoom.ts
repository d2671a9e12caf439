/** Above this share of its time the thread of all sockets takes no more: what arrives would wait for what arrived before. */
const MOST_BUSY_SHARE = 0.8;
/** Of a full-duplex session that sends and gets each 20 ms by itself, on the slower machines that were measured. */
const FIRST_SESSION_SHARE = 0.0025;
/** Some send only now and then, and may begin to talk. */
const LEAST_SESSION_SHARE = FIRST_SESSION_SHARE / 8;
/** Fewer sessions do not fill a thread: what does is something else, which passes. */
const MIN_SESSIONS = 32;

/**
 * Whether the thread that serves all sockets has time for another session. Where a GPU runs the codec that thread is full
 * before the engine is. What a session takes is learned from those that are there.
 */
export class ThreadRoom {
  #busyShare = 0;
  #sessionShare = FIRST_SESSION_SHARE;
  /** Sessions that {@link busyShare} includes. */
  #countedSessions = 0;

  /** Share of its time, 0 to 1, that the thread was busy when that was last told. */
  get busyShare(): number {
    return this.#busyShare;
  }

  /** Learns from a stretch of time: how busy the thread was, and with how many sessions it ends. */
  observe(busyShare: number, sessions: number): void {
    this.#busyShare = busyShare;
    this.#countedSessions = sessions;
    if (sessions < MIN_SESSIONS) return;
    this.#sessionShare = Math.min(FIRST_SESSION_SHARE, Math.max(LEAST_SESSION_SHARE, busyShare / sessions));
  }

  /** Whether there is room for so many sessions in all. */
  holds(sessions: number): boolean {
    const more = sessions - this.#countedSessions;
    return sessions <= MIN_SESSIONS || this.#busyShare + more * this.#sessionShare <= MOST_BUSY_SHARE;
  }
}
