import type { ClientMessage } from '../protocol/clientMessages.js';
import { PROTOCOL_LIMITS } from '../protocol/limits.js';
import type { ServerMessageOf } from '../protocol/serverMessages.js';

/** Under rate control, which works with them; else they only let the server forget what has arrived. */
const INTERVAL_MS = { adaptive: PROTOCOL_LIMITS.ackIntervalMs, fixed: 1000 } as const;
/** So much after the server's time is still before its next packet. */
const SLACK_MS = 15;

/** The message `ack_timing`, and the duration of a frame. */
export type AckTiming = Pick<ServerMessageOf<'ack_timing'>, 'frameIndex' | 'atMs'> & {
  readonly frameMs: number;
};

/** A packet that has come, by a clock that never jumps, and what to know to say so. */
export interface AckCase {
  readonly arrivalMs: number;
  readonly endFrameIndex: number;
  readonly frameCount: number;
  /** When the last acknowledgement was said. */
  readonly saidMs: number;
  /** What the server has said of their time, if anything. */
  readonly timing: AckTiming | undefined;
}

/**
 * When to acknowledge under rate control: at once, or when the server is about to send the next packet where its `ack_timing` tells. A
 * packet of TCP's own, which would acknowledge the message else, takes as much of a slow link as three codebooks.
 */
export function ackDueMs({ arrivalMs, endFrameIndex, frameCount, saidMs, timing }: AckCase): number {
  const earliestMs = Math.max(arrivalMs, saidMs + INTERVAL_MS.adaptive);
  if (timing === undefined) return earliestMs;
  const { frameIndex, atMs, frameMs } = timing;
  const packetMs = frameCount * frameMs;
  // A gap does not tell when the next packet goes.
  if (packetMs > INTERVAL_MS.adaptive) return earliestMs;
  const endMs = atMs + (endFrameIndex - frameIndex) * frameMs;
  const packets = Math.ceil((earliestMs - SLACK_MS - endMs) / packetMs);
  return Math.max(earliestMs, endMs + packets * packetMs);
}

/** Says what has arrived, as often as is of use to the server's rate control. */
export class Acknowledgements {
  readonly #say: (ack: ClientMessage) => void;
  #saidMs = -Infinity;
  #nextFrameIndex = 0;
  /** When what has come is to be said, under rate control; undefined where all is said. */
  #dueMs: number | undefined;
  #later: ReturnType<typeof setTimeout> | undefined;
  #timing: AckTiming | undefined;

  constructor(say: (ack: ClientMessage) => void) {
    this.#say = say;
  }

  /** Since the last one. */
  get ageMs(): number {
    return performance.now() - this.#saidMs;
  }

  /** The server has said what their time is. */
  follow(timing: AckTiming): void {
    this.#timing = timing;
  }

  /**
   * All frames of the server's session below `nextFrameIndex` have come, and so much sound waits to be played. To be called
   * as frames come and not by a timer: those of hidden pages run once a second at best. `control` is that of the bitrate.
   */
  note(nextFrameIndex: number, bufferMs: number, control: keyof typeof INTERVAL_MS = 'fixed'): void {
    clearTimeout(this.#later);
    const arrivalMs = performance.now();
    const frameCount = Math.max(1, nextFrameIndex - this.#nextFrameIndex);
    this.#nextFrameIndex = nextFrameIndex;
    const say = (): void => {
      this.#dueMs = undefined;
      this.#saidMs = performance.now();
      this.#say({
        type: 'ack',
        nextFrameIndex,
        bufferMs: Math.max(0, bufferMs),
        arrivalMs,
        saidMs: this.#saidMs,
      });
    };
    if (control === 'fixed') {
      if (this.ageMs >= INTERVAL_MS.fixed) say();
      return;
    }
    const packet = { arrivalMs, endFrameIndex: nextFrameIndex, frameCount };
    this.#dueMs ??= ackDueMs({ ...packet, saidMs: this.#saidMs, timing: this.#timing });
    const waitMs = this.#dueMs - arrivalMs;
    if (waitMs <= 0) say();
    // Rate control may hold the next frame back until this one is acknowledged.
    else this.#later = setTimeout(say, waitMs);
  }
}
