import type { AbStatus } from './abTracks.js';
import type { Source } from './sources.js';
import type { FromWorklet, ToWorklet } from './workletMessages.js';

const WORKLET_URL = '/studio/studioWorklet.js';

/** Whom the desk tells. */
export interface DeskHandlers {
  /** The next samples of the source, to be sent and shown. */
  readonly onOriginal: (pcm: Float32Array<ArrayBuffer>) => void;
  readonly onStatus: (
    status: AbStatus,
    peaks: { readonly original: number; readonly resynthesis: number },
  ) => void;
}

/** Where a source is heard beside its resynthesis: one audio graph, at the model's rate, from `start` to `stop`. */
export class ListeningDesk {
  readonly #node: AudioWorkletNode;
  readonly #source: Source;

  private constructor(node: AudioWorkletNode, source: Source) {
    this.#node = node;
    this.#source = source;
  }

  /** Connects `source`, which belongs to `context` and is released by `stop`. */
  static async start(context: AudioContext, source: Source, handlers: DeskHandlers): Promise<ListeningDesk> {
    await context.audioWorklet.addModule(WORKLET_URL);
    const node = new AudioWorkletNode(context, 'studio', {
      channelCount: 1,
      channelCountMode: 'explicit',
      outputChannelCount: [1],
    });
    node.port.onmessage = ({ data }: MessageEvent<FromWorklet>) => {
      if (data.type === 'original') handlers.onOriginal(data.pcm);
      else handlers.onStatus(data.status, data.peaks);
    };
    source.node.connect(node);
    node.connect(context.destination);
    return new ListeningDesk(node, source);
  }

  /** Samples of the resynthesis, from position `first` on the source's time line. */
  put(pcm: Float32Array, first: number): void {
    this.#say({ type: 'resynthesis', pcm, first });
  }

  /** Nothing comes for the positions below `end` any more. */
  skip(end: number): void {
    this.#say({ type: 'gap', end });
  }

  /** Switches what is heard, at the place where it is. */
  hear(track: 'original' | 'resynthesis'): void {
    this.#say({ type: 'hear', isOriginal: track === 'original' });
  }

  /** Ends the graph. */
  stop(): void {
    this.#say({ type: 'stop' });
    this.#node.port.onmessage = null;
    this.#source.node.disconnect();
    this.#node.disconnect();
    this.#source.release();
  }

  #say(message: ToWorklet): void {
    this.#node.port.postMessage(message);
  }
}
