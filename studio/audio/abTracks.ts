/** What {@link AbTracks} tells of itself. */
export interface AbStatus {
  /** Samples of the original so far. */
  readonly inputEnd: number;
  /** Sample that is heard next. */
  readonly head: number;
  /** Samples of the resynthesis at hand from `head` on. */
  readonly buffered: number;
  /** How often the resynthesis came too late, so that the head had to wait. */
  readonly stalls: number;
}

/** Waiting buffer that it aims at, beside what the network has shown to need, in seconds. */
const BASE_BUFFER_SECONDS = 0.03;
/** Added at every stall. */
const STALL_SECONDS = 0.02;
/** Over so much sound without a stall the buffer is looked at, and a surplus above twice the base is skipped. */
const REVIEW_SECONDS = 3;
const FADE_SECONDS = 0.01;

/**
 * The original and its resynthesis on one time line, sample n beside sample n, and a head that plays either of them.
 * The head is an adaptive jitter buffer: it waits where the resynthesis is late, and catches up where it has long been
 * early. So the distance from the end of the original to the head is the delay from microphone to speaker. Switching
 * fades within {@link FADE_SECONDS}. Pure arithmetic: an AudioWorklet runs it, tests do too.
 */
export class AbTracks {
  readonly #sampleRate: number;
  readonly #capacity: number;
  readonly #original: Float32Array;
  readonly #resynthesis: Float32Array;
  #inputEnd = 0;
  #arrivedEnd = 0;
  #head = 0;
  #isPlaying = false;
  #stalls = 0;
  #target: number;
  #sinceReview = 0;
  #leastBuffered = Infinity;
  #mix = 1;
  #isOriginal = false;
  #gain = 0;

  /** @param maxSeconds what it holds of each track; the head is moved on when the original would overrun it. */
  constructor(sampleRate: number, maxSeconds: number) {
    this.#sampleRate = sampleRate;
    this.#capacity = Math.ceil(sampleRate * maxSeconds);
    this.#original = new Float32Array(this.#capacity);
    this.#resynthesis = new Float32Array(this.#capacity);
    this.#target = Math.round(BASE_BUFFER_SECONDS * sampleRate);
  }

  /** Where it stands. */
  get status(): AbStatus {
    return {
      inputEnd: this.#inputEnd,
      head: this.#head,
      buffered: Math.max(0, this.#arrivedEnd - this.#head),
      stalls: this.#stalls,
    };
  }

  /** Whether the original is what is heard; the resynthesis otherwise. */
  set isOriginal(value: boolean) {
    this.#isOriginal = value;
  }

  /** The next samples of the original. */
  pushOriginal(pcm: Float32Array): void {
    for (const sample of pcm) {
      const slot = this.#inputEnd % this.#capacity;
      this.#original[slot] = sample;
      // What never arrives is silence, not what was there a round before.
      this.#resynthesis[slot] = 0;
      this.#inputEnd += 1;
    }
    this.#head = Math.max(this.#head, this.#inputEnd - this.#capacity);
  }

  /** Samples of the resynthesis from position `firstSample` on; those that were passed already are dropped. */
  pushResynthesis(pcm: Float32Array, firstSample: number): void {
    const oldest = Math.max(this.#head, this.#inputEnd - this.#capacity);
    for (let i = Math.max(0, oldest - firstSample); i < pcm.length; i += 1) {
      const index = firstSample + i;
      if (index >= this.#inputEnd) break;
      this.#resynthesis[index % this.#capacity] = pcm[i]!;
    }
    this.#arrivedEnd = Math.max(this.#arrivedEnd, Math.min(firstSample + pcm.length, this.#inputEnd));
  }

  /** Nothing will come for the positions below `end`: they are passed as silence. */
  skipResynthesis(end: number): void {
    this.#arrivedEnd = Math.max(this.#arrivedEnd, Math.min(end, this.#inputEnd));
  }

  /**
   * Fills `output` with what is heard, and `original` and `resynthesis` with both tracks at the same places. Returns
   * whether the head moved.
   */
  pull(output: Float32Array, original: Float32Array, resynthesis: Float32Array): boolean {
    const count = output.length;
    const available = this.#arrivedEnd - this.#head;
    if (!this.#isPlaying && available >= this.#target + count) this.#isPlaying = true;
    if (this.#isPlaying && available < count) {
      this.#isPlaying = false;
      this.#stalls += 1;
      this.#target += Math.round(STALL_SECONDS * this.#sampleRate);
      this.#sinceReview = 0;
      this.#leastBuffered = Infinity;
      this.#gain = 0;
    }
    if (!this.#isPlaying) {
      output.fill(0);
      original.fill(0);
      resynthesis.fill(0);
      return false;
    }
    this.#review(available - count, count);
    const fade = 1 / (FADE_SECONDS * this.#sampleRate);
    const aim = this.#isOriginal ? 0 : 1;
    for (let i = 0; i < count; i += 1) {
      const slot = this.#head % this.#capacity;
      original[i] = this.#original[slot]!;
      resynthesis[i] = this.#resynthesis[slot]!;
      this.#mix += Math.min(fade, Math.max(-fade, aim - this.#mix));
      this.#gain = Math.min(1, this.#gain + fade);
      output[i] = this.#gain * (original[i]! + this.#mix * (resynthesis[i]! - original[i]!));
      this.#head += 1;
    }
    return true;
  }

  /** Skips what has been waiting without need for a whole review. */
  #review(left: number, count: number): void {
    this.#leastBuffered = Math.min(this.#leastBuffered, left);
    this.#sinceReview += count;
    if (this.#sinceReview < REVIEW_SECONDS * this.#sampleRate) return;
    const base = Math.round(BASE_BUFFER_SECONDS * this.#sampleRate);
    const surplus = this.#leastBuffered - 2 * base;
    if (surplus > 0) {
      this.#head += surplus;
      this.#gain = 0;
      this.#target = Math.max(base, this.#target - surplus);
    }
    this.#sinceReview = 0;
    this.#leastBuffered = Infinity;
  }
}
