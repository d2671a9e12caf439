import { AbTracks } from './abTracks.js';
import type { FromWorklet, ToWorklet } from './workletMessages.js';

/** Of each track that it holds: more than any delay worth showing. */
const HELD_SECONDS = 12;
/** What it posts at once, of the original and of what was heard. */
const BLOCK_SECONDS = 0.02;

/** In: the source. Out: what is heard. Both tracks go to the page in blocks, with the places they have in time. */
class StudioProcessor extends AudioWorkletProcessor {
  readonly #tracks = new AbTracks(sampleRate, HELD_SECONDS);
  readonly #original = new Blocks((pcm, first) => this.#post({ type: 'original', pcm, first }));
  readonly #heard = [new Float32Array(128), new Float32Array(128)] as const;
  #peaks = { original: 0, resynthesis: 0 };
  #untilReport = 0;
  #isRunning = true;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToWorklet>) => {
      switch (data.type) {
        case 'resynthesis':
          this.#tracks.pushResynthesis(data.pcm, data.first);
          break;
        case 'gap':
          this.#tracks.skipResynthesis(data.end);
          break;
        case 'hear':
          this.#tracks.isOriginal = data.isOriginal;
          break;
        case 'stop':
          this.#isRunning = false;
      }
    };
  }

  override process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [output] = outputs[0] ?? [];
    if (output === undefined) return this.#isRunning;
    const input = inputs[0]?.[0] ?? new Float32Array(output.length);
    this.#tracks.pushOriginal(input);
    this.#original.push(input);
    const [original, resynthesis] = this.#heard;
    const hasMoved = this.#tracks.pull(output, original, resynthesis);
    if (hasMoved) {
      this.#peaks.original = Math.max(this.#peaks.original, peak(original));
      this.#peaks.resynthesis = Math.max(this.#peaks.resynthesis, peak(resynthesis));
    }
    this.#untilReport -= output.length;
    if (this.#untilReport <= 0) {
      this.#untilReport = Math.round(sampleRate * BLOCK_SECONDS * 2);
      this.#post({ type: 'status', status: this.#tracks.status, peaks: this.#peaks });
      this.#peaks = { original: 0, resynthesis: 0 };
    }
    return this.#isRunning;
  }

  #post(message: FromWorklet): void {
    this.port.postMessage(message);
  }
}

/** Gathers the 128 samples of each call to blocks that are worth a message. */
class Blocks {
  readonly #onBlock: (pcm: Float32Array<ArrayBuffer>, first: number) => void;
  #block = new Float32Array(Math.round(sampleRate * BLOCK_SECONDS));
  #filled = 0;
  #first = 0;

  constructor(onBlock: (pcm: Float32Array<ArrayBuffer>, first: number) => void) {
    this.#onBlock = onBlock;
  }

  push(pcm: Float32Array): void {
    for (const sample of pcm) {
      this.#block[this.#filled] = sample;
      this.#filled += 1;
      if (this.#filled < this.#block.length) continue;
      this.#onBlock(this.#block, this.#first);
      this.#first += this.#block.length;
      this.#block = new Float32Array(this.#block.length);
      this.#filled = 0;
    }
  }
}

function peak(pcm: Float32Array): number {
  let highest = 0;
  for (const sample of pcm) highest = Math.max(highest, Math.abs(sample));
  return highest;
}

registerProcessor('studio', StudioProcessor);
