/** How playback stands; durations in milliseconds. */
export interface PlaybackStats {
  /** Sound that waits to be played. */
  readonly bufferMs: number;
  /** What the buffer aims at, from the jitter that was measured. */
  readonly targetMs: number;
  readonly playedMs: number;
  /** Of that, made up because nothing had come in time. */
  readonly concealedMs: number;
  /** Passed over to catch up, and never played. */
  readonly skippedMs: number;
  /** Position in the session's sound of what is played now; -1 before the first. */
  readonly sampleIndex: number;
}
