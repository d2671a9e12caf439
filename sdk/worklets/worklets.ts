import { JitterBuffer, type JitterBufferOptions } from '../audio/jitterBuffer.js';
import { Resampler } from '../audio/resampler.js';
import { scope, type CaptureOptions } from './scope.js';

const REPORT_INTERVAL_S = 0.05;

/** Gives what it hears, mono, at the rate that is asked for, in pieces of one length. */
class CaptureProcessor extends scope.AudioWorkletProcessor {
  readonly #resampler: Resampler | undefined;
  readonly #pieceSamples: number;
  #piece: Float32Array;
  #filled = 0;
  #isStopped = false;

  constructor({ processorOptions }: { readonly processorOptions: CaptureOptions }) {
    super();
    const { sampleRate, pieceSamples } = processorOptions;
    if (sampleRate !== scope.sampleRate) this.#resampler = new Resampler(scope.sampleRate, sampleRate);
    this.#pieceSamples = pieceSamples;
    this.#piece = new Float32Array(pieceSamples);
    this.port.onmessage = () => (this.#isStopped = true);
  }

  process([input]: readonly (readonly Float32Array[])[]): boolean {
    const [first, ...others] = input ?? [];
    if (first) {
      const mono = first.slice();
      for (const channel of others) for (let at = 0; at < mono.length; at += 1) mono[at]! += channel[at]!;
      if (others.length > 0) for (let at = 0; at < mono.length; at += 1) mono[at]! /= others.length + 1;
      this.#take(this.#resampler?.push(mono) ?? mono);
    }
    return !this.#isStopped;
  }

  #take(samples: Float32Array): void {
    for (let at = 0; at < samples.length;) {
      const part = samples.subarray(at, at + this.#pieceSamples - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#pieceSamples) return;
      this.port.postMessage(this.#piece, [this.#piece.buffer]);
      this.#piece = new Float32Array(this.#pieceSamples);
      this.#filled = 0;
    }
  }
}

/** Plays what it is sent, through a {@link JitterBuffer}, and reports how that stands. */
class PlaybackProcessor extends scope.AudioWorkletProcessor {
  readonly #buffer: JitterBuffer;
  readonly #resampler: Resampler | undefined;
  #ready = new Float32Array(0);
  #reportedAt = 0;
  #isStopped = false;

  constructor({
    processorOptions,
  }: {
    readonly processorOptions: JitterBufferOptions & { readonly sampleRate: number };
  }) {
    super();
    const { sampleRate } = processorOptions;
    this.#buffer = new JitterBuffer(sampleRate, processorOptions);
    if (sampleRate !== scope.sampleRate) this.#resampler = new Resampler(sampleRate, scope.sampleRate);
    this.port.onmessage = ({
      data,
    }: {
      readonly data: { firstSampleIndex: number; samples: Float32Array } | 'stop';
    }) => {
      if (data === 'stop') this.#isStopped = true;
      else this.#buffer.push(data.firstSampleIndex, data.samples, 1000 * scope.currentTime);
    };
  }

  process(_inputs: unknown, [output]: readonly (readonly Float32Array[])[]): boolean {
    const [first, ...others] = output ?? [];
    if (first) {
      if (this.#resampler) this.#resample(first, this.#resampler);
      else this.#buffer.pull(first);
      for (const channel of others) channel.set(first);
    }
    if (scope.currentTime - this.#reportedAt >= REPORT_INTERVAL_S) {
      this.#reportedAt = scope.currentTime;
      this.port.postMessage(this.#buffer.stats);
    }
    return !this.#isStopped;
  }

  #resample(target: Float32Array, resampler: Resampler): void {
    while (this.#ready.length < target.length) {
      const piece = new Float32Array(target.length);
      this.#buffer.pull(piece);
      const more = resampler.push(piece);
      const ready = new Float32Array(this.#ready.length + more.length);
      ready.set(this.#ready);
      ready.set(more, this.#ready.length);
      this.#ready = ready;
    }
    target.set(this.#ready.subarray(0, target.length));
    this.#ready = this.#ready.slice(target.length);
  }
}

scope.registerProcessor('tessera-capture', CaptureProcessor);
scope.registerProcessor('tessera-playback', PlaybackProcessor);
