import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { SoundRange } from './packetizer.js';

/** Sound from one flush to the next. */
interface Stretch {
  readonly firstSampleIndex: number;
  endSampleIndex: number;
  /** All its samples are in. */
  isEnded: boolean;
  /** All its frames are out. */
  isDone: boolean;
}

/**
 * Where the sound of a session with audio input lies in time, in samples of the model's rate. Flushes cut it into
 * stretches, and each begins where the padding of the one before ends.
 */
export class SoundTimeline {
  readonly #model: Pick<ModelSummary, 'hop' | 'decoderDelaySamples'>;
  /** Those that have not come out whole, in order; the last one, which takes the input, even when it has. */
  #stretches: Stretch[] = [newStretch(0)];

  constructor(model: Pick<ModelSummary, 'hop' | 'decoderDelaySamples'>) {
    this.#model = model;
  }

  /** The end of all sound so far. */
  get endSampleIndex(): number {
    return this.#stretches.at(-1)?.endSampleIndex ?? 0;
  }

  /** What of the frames that come out now is sound. */
  get comingOut(): SoundRange {
    const [stretch] = this.#stretches;
    if (stretch === undefined) return { firstSampleIndex: 0, endSampleIndex: Infinity };
    return stretch.isEnded ? stretch : { ...stretch, endSampleIndex: Infinity };
  }

  /** So many samples more are in. */
  addSamples(count: number): void {
    const last = this.#stretches.at(-1);
    if (last && !last.isEnded) {
      last.endSampleIndex += count;
      return;
    }
    const { hop, decoderDelaySamples } = this.#model;
    const end = this.endSampleIndex;
    const isEmpty = end === last?.firstSampleIndex;
    const next = newStretch(isEmpty ? end : hop * Math.ceil((end + decoderDelaySamples) / hop));
    next.endSampleIndex += count;
    this.#add(next);
  }

  /** A flush follows the samples so far. */
  endStretch(): void {
    const last = this.#stretches.at(-1);
    // A flush of nothing has no frames; it keeps its place in the line of flushes.
    if (last?.isEnded) this.#add({ ...last, isDone: false });
    else if (last) last.isEnded = true;
  }

  /** All frames up to the next flush are out. */
  finishStretch(): void {
    const [stretch] = this.#stretches;
    // The last one stays, for its end is where the next one begins.
    if (this.#stretches.length > 1) this.#stretches.shift();
    else if (stretch) stretch.isDone = true;
  }

  #add(stretch: Stretch): void {
    if (this.#stretches[0]?.isDone) this.#stretches.shift();
    this.#stretches.push(stretch);
  }
}

function newStretch(firstSampleIndex: number): Stretch {
  return { firstSampleIndex, endSampleIndex: firstSampleIndex, isEnded: false, isDone: false };
}
