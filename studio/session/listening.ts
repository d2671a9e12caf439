import type { AbStatus } from '../audio/abTracks.js';
import { ListeningDesk } from '../audio/listeningDesk.js';
import type { Source } from '../audio/sources.js';
import type { SimulatedLink } from '../link/simulatedLink.js';
import type { ViewsPanel } from '../views/viewsPanel.js';
import { CodecStream, type StreamOptions } from './codecStream.js';

/** Whom a listening tells. */
export interface ListeningHandlers {
  readonly onStatus: (
    status: AbStatus,
    peaks: { readonly original: number; readonly resynthesis: number },
  ) => void;
  /** Codebooks of the frames that came just now. */
  readonly onQuantizers: (quantizers: number) => void;
  /** The connection broke, and is being made anew; or it is there again. */
  readonly onConnection: (isThere: boolean) => void;
  /** It ended by itself. */
  readonly onEnd: (error: unknown) => void;
}

/** What a listening begins with. */
export interface ListeningOptions extends Omit<StreamOptions, 'context'> {
  readonly link: SimulatedLink;
  readonly views: ViewsPanel;
}

/** One source on its way through the codec, heard and seen, from start to stop. */
export class Listening {
  readonly #context: AudioContext;
  readonly #desk: ListeningDesk;
  readonly #stream: CodecStream;

  private constructor(context: AudioContext, desk: ListeningDesk, stream: CodecStream) {
    this.#context = context;
    this.#desk = desk;
    this.#stream = stream;
  }

  /**
   * Opens the source and the sessions. `context` runs at the model's rate, and is closed with the listening.
   * @throws StudioError of the source; TesseraError of the service.
   */
  static async start(
    context: AudioContext,
    openSource: (context: AudioContext) => Promise<Source>,
    options: ListeningOptions,
    handlers: ListeningHandlers,
  ): Promise<Listening> {
    const undo: (() => void)[] = [() => void context.close()];
    try {
      const source = await openSource(context);
      undo.push(source.release);
      const { views } = options;
      // What comes before the desk is there belongs to no sound yet: the source sends through the desk.
      const places: { desk?: ListeningDesk } = {};
      const stream = await CodecStream.open(
        options.link,
        { ...options, context },
        {
          onTokens: (block) => {
            views.pushTokens(block);
            handlers.onQuantizers(block.quantizers);
          },
          onPcm: (pcm, first) => {
            views.pushResynthesis(pcm, first);
            places.desk?.put(pcm, first);
          },
          onGap: (end) => places.desk?.skip(end),
          onConnection: handlers.onConnection,
          onEnd: handlers.onEnd,
        },
      );
      undo.push(() => stream.close());
      const desk = await ListeningDesk.start(context, source, {
        onOriginal: (pcm) => {
          views.pushOriginal(pcm);
          stream.send(pcm);
        },
        onStatus: handlers.onStatus,
      });
      places.desk = desk;
      return new Listening(context, desk, stream);
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    }
  }

  /** Switches what is heard, at the place where it is. */
  hear(track: 'original' | 'resynthesis'): void {
    this.#desk.hear(track);
  }

  /** The most codebooks from now on. */
  setQuantizers(quantizers: number): void {
    this.#stream.setQuantizers(quantizers);
  }

  /** Ends sound, sessions and graph. */
  stop(): void {
    this.#desk.stop();
    this.#stream.close();
    void this.#context.close();
  }
}
