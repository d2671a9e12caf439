import { TesseraError } from '../../protocol/errors.js';
import type { AudioFrame, ClientFrame } from '../../protocol/frames.js';

/** What the input side of a session needs of the rest. */
export interface SessionInputHost {
  /** True when the socket should pause, false when it may go on. */
  readonly onPause: (paused: boolean) => void;
  /** The input is no good: the session ends. */
  readonly onError: (error: unknown) => void;
}

/** The input side of a session: takes frames as they come, feeds the engine no faster than it goes. */
export interface SessionInput {
  /** Bytes taken, as `totals` counts them. */
  readonly inputBytes: number;
  /** Where the client has to go on after a break, as `resumed.inputByteOffset`. */
  readonly nextByteOffset: number;
  /** Whether the socket should pause. */
  readonly isPaused: boolean;
  /**
   * Takes a frame of so many bytes on the wire.
   * @throws TesseraError `bad_frame`, `bad_state`, `input_overflow`
   */
  add(frame: ClientFrame, wireBytes: number): void;
  /** Has the engine flushed when all that was taken before has reached it. */
  flush(): void;
  /** Drops what waits. Safe to call again. */
  close(): void;
}

/** @throws TesseraError `bad_frame` for a frame that a session with audio input does not take. */
export function requireAudio(frame: ClientFrame): asserts frame is AudioFrame {
  if (frame.kind !== 'audio') {
    throw new TesseraError('bad_frame', 'This session takes audio: send AUDIO, not TOKENS or GAP');
  }
}
