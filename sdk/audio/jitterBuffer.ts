import { Concealment } from './concealment.js';
import { JitterTarget, type TargetBounds } from './jitterTarget.js';
import type { PlaybackStats } from './playbackStats.js';
import { crossfade, findPeriod, periodWindow } from './splice.js';

/** How a {@link JitterBuffer} works; milliseconds. */
export interface JitterBufferOptions extends TargetBounds {
  /** True: sound that came late is caught up with. False: everything is played, however late. */
  readonly live: boolean;
  /** Sound held at most; the oldest goes. */
  readonly maxBufferMs: number;
}

/** Where sound is joined, it is faded over so long. */
const JOIN_S = 0.005;
/** Shorter gaps are filled, so that what follows keeps its place in time; longer ones are closed. */
const MAX_FILLED_S = 0.5;
/** What render quanta and timers add to the jitter. */
const MARGIN_MS = 10;
/** Above or below the target by less than this, the delay is left as it is. */
const TOLERANCE_MS = 15;
/** Farther above the target than this, sound is cut wherever it is, not only where one does not hear it. */
const FAR_MS = 100;
const GOOD_LIKENESS = 0.7;
/** Where the sound does not allow a change, it is looked at again so much later. */
const RETRY_MS = 20;
/** Between changes of the delay: each takes or adds a period, so speech gets faster or slower by a tenth at most. */
const CHANGE_INTERVAL_MS = { near: 120, far: 60 } as const;

/**
 * Holds samples between an uneven arrival and an even playback. It aims at the delay that the measured jitter asks for,
 * by taking out or repeating single periods of the sound, and covers what is missing.
 */
export class JitterBuffer {
  readonly #sampleRate: number;
  readonly #options: JitterBufferOptions;
  readonly #target: JitterTarget;
  #data = new Float32Array(0);
  /** What waits is `#data` from `#read` to `#write`; what lies before was played. */
  #read = 0;
  #write = 0;
  #endIndex: number | undefined;
  #concealment: Concealment | undefined;
  #isPlaying = false;
  #waitedSamples = 0;
  /** Most that was held right after a packet came, since the delay was last changed. */
  #peakMs = 0;
  #sinceChangeMs = 0;
  #played = 0;
  #concealed = 0;
  /** Made up since what was there ran out. */
  #unexplained = 0;
  #skipped = 0;

  constructor(sampleRate: number, options: JitterBufferOptions) {
    this.#sampleRate = sampleRate;
    this.#options = options;
    this.#target = new JitterTarget(options);
  }

  /** Figures of now. */
  get stats(): PlaybackStats {
    const held = this.#write - this.#read;
    return {
      bufferMs: this.#ms(held),
      targetMs: this.#target.targetMs + MARGIN_MS,
      playedMs: this.#ms(this.#played),
      concealedMs: this.#ms(this.#concealed),
      skippedMs: this.#ms(this.#skipped),
      sampleIndex: this.#endIndex === undefined || this.#played === 0 ? -1 : this.#endIndex - held,
    };
  }

  /** Takes samples that came at `arrivalMs` of a clock that never jumps; those that it has already are passed over. */
  push(firstSampleIndex: number, samples: Float32Array, arrivalMs: number): void {
    const end = this.#endIndex ?? firstSampleIndex;
    const missing = firstSampleIndex - end;
    const fresh = missing < 0 ? samples.subarray(-missing) : samples;
    if (fresh.length === 0) return;
    if (this.#endIndex !== undefined && missing > 0) this.#bridge(missing, fresh);
    else this.#append(fresh);
    this.#unexplained = 0;
    this.#endIndex = firstSampleIndex + samples.length;
    this.#target.add(arrivalMs, this.#ms(this.#endIndex), this.#ms(samples.length));
    const held = this.#ms(this.#write - this.#read);
    this.#peakMs = Math.max(this.#peakMs, held);
    if (held > this.#options.maxBufferMs) this.#skip();
  }

  /** Fills `output` with the next samples, made-up ones or silence where there are none. */
  pull(output: Float32Array): void {
    this.#sinceChangeMs += this.#ms(output.length);
    if (!this.#isPlaying) this.#isPlaying = this.#mayStart(output.length);
    if (this.#isPlaying) this.#adjust();
    const count = this.#isPlaying ? Math.min(output.length, this.#write - this.#read) : 0;
    const made = output.subarray(count);
    output.set(this.#data.subarray(this.#read, this.#read + count));
    if (count > 0 && this.#concealment) {
      const before = new Float32Array(Math.min(count, Math.round(JOIN_S * this.#sampleRate)));
      this.#concealment.fill(before);
      crossfade(output.subarray(0, before.length), before, output.slice(0, before.length));
      this.#concealment = undefined;
    }
    this.#read += count;
    this.#played += count;
    if (made.length === 0) return;
    if (this.#played === 0) {
      made.fill(0);
      return;
    }
    this.#concealment ??= new Concealment(this.#data.subarray(0, this.#read), this.#sampleRate);
    this.#concealment.fill(made);
    this.#concealed += made.length;
    this.#unexplained += made.length;
    this.#isPlaying = false;
  }

  #mayStart(samples: number): boolean {
    const heldMs = this.#ms(this.#write - this.#read);
    if (heldMs === 0) return false;
    this.#waitedSamples += samples;
    // The end of a stream may be shorter than the target.
    const isEnough =
      heldMs >= this.#target.targetMs || this.#ms(this.#waitedSamples) > 2 * this.#target.targetMs;
    if (!isEnough) return false;
    this.#waitedSamples = 0;
    this.#peakMs = heldMs;
    this.#sinceChangeMs = 0;
    return true;
  }

  /** Takes out a period, or repeats one, where the delay is off and the sound allows it. */
  #adjust(): void {
    const window = periodWindow(this.#sampleRate);
    const excessMs = this.#peakMs - (this.#target.targetMs + MARGIN_MS);
    const isFar = excessMs > FAR_MS;
    if (this.#sinceChangeMs < (isFar ? CHANGE_INTERVAL_MS.far : CHANGE_INTERVAL_MS.near)) return;
    if (Math.abs(excessMs) < TOLERANCE_MS || (excessMs > 0 && !this.#options.live)) return;
    if (this.#write - this.#read < window) return;
    const ahead = this.#data.subarray(this.#read, this.#read + window);
    const { samples, likeness } = findPeriod(ahead, this.#sampleRate);
    if (likeness < GOOD_LIKENESS && !isFar) {
      this.#sinceChangeMs -= RETRY_MS;
      return;
    }
    const first = ahead.slice(0, samples);
    const second = ahead.slice(samples, 2 * samples);
    if (excessMs > 0) {
      crossfade(this.#data.subarray(this.#read + samples, this.#read + 2 * samples), first, second);
      this.#read += samples;
      this.#skipped += samples;
      this.#peakMs -= this.#ms(samples);
    } else {
      if (this.#read < samples) return;
      crossfade(this.#data.subarray(this.#read, this.#read + samples), second, first);
      this.#data.set(first, this.#read - samples);
      this.#read -= samples;
      this.#peakMs += this.#ms(samples);
    }
    // The peak is measured anew, from where this change has brought it.
    this.#peakMs = Math.min(this.#peakMs, this.#ms(this.#write - this.#read));
    this.#sinceChangeMs = 0;
  }

  /** Samples are missing before `fresh`: a short gap is covered, a long one is closed. */
  #bridge(gap: number, fresh: Float32Array): void {
    // What was made up while it was not known yet whether more would come stands for these.
    const missing = Math.max(0, gap - this.#unexplained);
    if (this.#unexplained > 0 && this.#unexplained <= gap) this.#isPlaying = true;
    this.#unexplained = 0;
    if (missing === 0) {
      this.#append(fresh);
      return;
    }
    const join = new Float32Array(Math.min(fresh.length, Math.round(JOIN_S * this.#sampleRate)));
    const isFilled = missing <= MAX_FILLED_S * this.#sampleRate;
    const cover = new Concealment(this.#data.subarray(0, this.#write), this.#sampleRate);
    if (isFilled) {
      const made = new Float32Array(missing);
      cover.fill(made);
      this.#append(made);
      this.#concealed += missing;
    } else this.#target.reset();
    cover.fill(join);
    const joined = fresh.slice();
    crossfade(joined.subarray(0, join.length), join, fresh);
    this.#append(joined);
  }

  /** Too much is held: goes on with the newest. */
  #skip(): void {
    const keep = Math.round((this.#target.targetMs * this.#sampleRate) / 1000);
    const join = Math.min(keep, Math.round(JOIN_S * this.#sampleRate));
    const next = this.#write - keep;
    if (!this.#options.live || next <= this.#read) {
      const excess = this.#write - this.#read - (this.#options.maxBufferMs * this.#sampleRate) / 1000;
      this.#read += Math.max(0, Math.ceil(excess));
      this.#skipped += Math.max(0, Math.ceil(excess));
      return;
    }
    const from = this.#data.slice(this.#read, this.#read + join);
    crossfade(this.#data.subarray(next, next + join), from, this.#data.slice(next, next + join));
    this.#skipped += next - this.#read;
    this.#read = next;
    this.#peakMs = this.#ms(keep);
  }

  #append(samples: Float32Array): void {
    if (this.#write + samples.length > this.#data.length) this.#makeRoom(samples.length);
    this.#data.set(samples, this.#write);
    this.#write += samples.length;
  }

  /** Keeps what waits, and of what was played as much as concealment and repeated periods need. */
  #makeRoom(count: number): void {
    const history = Math.min(this.#read, 2 * periodWindow(this.#sampleRate));
    const kept = this.#data.subarray(this.#read - history, this.#write);
    const needed = kept.length + count;
    const data = new Float32Array(Math.max(2 * needed, this.#sampleRate));
    data.set(kept);
    this.#data = data;
    this.#write = kept.length;
    this.#read = history;
  }

  #ms(samples: number): number {
    return (1000 * samples) / this.#sampleRate;
  }
}
