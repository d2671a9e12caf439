import type { GapFrame, ServerFrame } from '../protocol/frames.js';
import type { ModelSummary } from '../protocol/serverMessages.js';

/**
 * Where the output stands: frames of the server's session, which begin anew where that session is another, and frames as
 * this side counts them, which never do.
 */
export class OutputCursor {
  #model: ModelSummary;
  #base = 0;
  #next = 0;

  constructor(model: ModelSummary) {
    this.#model = model;
  }

  /** First frame of the server's session that has not arrived. */
  get nextOfServer(): number {
    return this.#next;
  }

  /** The same frame in this side's count. */
  get nextFrameIndex(): number {
    return this.#base + this.#next;
  }

  /** Another session takes the last one's place: its frame 0 is `base`. @returns the frames between, which never came. */
  restart(model: ModelSummary, base: number): GapFrame | undefined {
    const firstFrameIndex = this.nextFrameIndex;
    this.#model = model;
    this.#base = base;
    this.#next = 0;
    if (base <= firstFrameIndex) return undefined;
    return { kind: 'gap', firstFrameIndex, frameCount: base - firstFrameIndex, reason: 'resume_lost' };
  }

  /** All frames of the server's session below `nextOfServer` have come. */
  reach(nextOfServer: number): void {
    this.#next = Math.max(this.#next, nextOfServer);
  }

  /** Moves on behind a frame of `samples` samples (0 for tokens and gaps). @returns it with its place in this side's count. */
  take<F extends ServerFrame>(frame: F, samples: number): F {
    const { hop, decoderDelaySamples } = this.#model;
    if (frame.kind === 'pcm') {
      const end = frame.firstSampleIndex + samples;
      // A stretch that a flush has ended stops short of its last frame; the next one begins behind it.
      this.#next = Math.max(this.#next, Math.floor((end + decoderDelaySamples) / hop));
      return { ...frame, firstSampleIndex: frame.firstSampleIndex + this.#base * hop };
    }
    this.#next = Math.max(this.#next, frame.firstFrameIndex + frame.frameCount);
    return { ...frame, firstFrameIndex: frame.firstFrameIndex + this.#base };
  }
}
