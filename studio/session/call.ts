import { connect, TesseraError, type Microphone, type Session } from '../../sdk/index.js';
import { openMicrophone, stopTracks } from '../audio/sources.js';
import { CLIENT_FILES, localOptions, rangeOf, streamUrl } from './codecStream.js';

/** Between looks for the other's stream. */
const RETRY_MS = 500;
const SIDES = ['a', 'b'] as const;
type Side = (typeof SIDES)[number];

/** Of tokens that are made in this page: half the headers for 20 ms more. */
const FRAMES_PER_PACKET = 2;

/** How a call is made. */
export interface CallOptions {
  /** The most codebooks each way. */
  readonly quantizers: number;
  /** Voices are encoded and decoded in this page; else by the server. */
  readonly isLocal: boolean;
}

/** Figures of a call so far. */
export interface CallFigures {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly bufferMs: number;
  readonly lostFrames: number;
}

/** Whom a call tells. */
export interface CallHandlers {
  /** The other has come, or has left. */
  readonly onPeer: (isThere: boolean) => void;
  /** It ended by itself. */
  readonly onEnd: (error: unknown) => void;
}

/**
 * One side of a call: its voice is published as `room.NAME.a` or `room.NAME.b`, whichever is free, and the other one is
 * subscribed to and played.
 */
export class Call {
  readonly #voice: Session;
  readonly #microphone: Microphone;
  readonly #stream: MediaStream;
  readonly #peerStream: string;
  readonly #isLocal: boolean;
  readonly #handlers: CallHandlers;
  /** `sound` is a session of its own where the server decodes. */
  #peer: { readonly tokens: Session; readonly sound: Session } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  private constructor(
    voice: Session,
    microphone: Microphone,
    stream: MediaStream,
    peerStream: string,
    isLocal: boolean,
    handlers: CallHandlers,
  ) {
    this.#voice = voice;
    this.#microphone = microphone;
    this.#stream = stream;
    this.#peerStream = peerStream;
    this.#isLocal = isLocal;
    this.#handlers = handlers;
  }

  /**
   * Enters a room: takes the microphone, publishes, and waits for the other.
   * @throws StudioError of the microphone; TesseraError, `stream_taken` where two are in the room already.
   */
  static async join(room: string, options: CallOptions, handlers: CallHandlers): Promise<Call> {
    const { quantizers, isLocal } = options;
    const stream = await openMicrophone();
    try {
      const { voice, side } = await publish(room, options);
      const microphone = await sendVoice(voice, stream, options).catch((error: unknown) => {
        void voice.close();
        throw error;
      });
      const peerStream = streamName(room, side === 'a' ? 'b' : 'a');
      const call = new Call(voice, microphone, stream, peerStream, isLocal, handlers);
      voice.on('error', (error) => call.#fail(error));
      call.#seek(quantizers);
      return call;
    } catch (error) {
      stopTracks(stream);
      throw error;
    }
  }

  /** Figures of now. */
  get figures(): CallFigures {
    return {
      // The server tells a voice that it encodes its own tokens.
      bytesSent: this.#isLocal ? this.#voice.stats.bytesSent : this.#voice.stats.bytesReceived,
      bytesReceived: this.#peer?.tokens.stats.bytesReceived ?? 0,
      bufferMs: this.#peer?.sound.stats.playback?.bufferMs ?? 0,
      lostFrames: this.#peer?.tokens.stats.gapFrames ?? 0,
    };
  }

  /** The most codebooks each way, from now on. */
  setQuantizers(quantizers: number): void {
    this.#voice.setBitrate(rangeOf(quantizers));
    this.#peer?.tokens.setBitrate(rangeOf(quantizers));
  }

  /** Leaves the room. */
  leave(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#microphone.stop();
    stopTracks(this.#stream);
    this.#dropPeer();
    void this.#voice.close();
  }

  #seek(quantizers: number): void {
    this.#meet(quantizers).catch((error: unknown) => {
      if (this.#isOver) return;
      if (error instanceof TesseraError && error.code === 'no_such_stream') {
        this.#timer = setTimeout(() => this.#seek(quantizers), RETRY_MS);
      } else this.#fail(error);
    });
  }

  async #meet(quantizers: number): Promise<void> {
    const tokens = await connect(streamUrl(), {
      mode: 'subscribe',
      stream: this.#peerStream,
      bitrate: rangeOf(quantizers),
      ...(this.#isLocal ? { output: { coding: 'entropy', framesPerPacket: FRAMES_PER_PACKET } } : {}),
      reconnect: false,
    });
    const sound = this.#isLocal ? tokens : await connect(streamUrl(), { mode: 'decode' });
    if (this.#isOver) {
      void tokens.close();
      void sound.close();
      return;
    }
    this.#peer = { tokens, sound };
    if (!this.#isLocal) forward(tokens, sound);
    const isCurrent = (): boolean => !this.#isOver && this.#peer?.tokens === tokens;
    const onGone = (): void => {
      if (!isCurrent()) return;
      this.#dropPeer();
      this.#handlers.onPeer(false);
      this.#seek(quantizers);
    };
    tokens.on('error', onGone);
    tokens.on('state', (state) => {
      if (state === 'closed') onGone();
    });
    if (!this.#isLocal) sound.on('error', (error) => this.#fail(error));
    const player = await sound.play(
      this.#isLocal ? { decode: 'local', ...localOptions() } : { workletUrl: CLIENT_FILES.worklets },
    );
    // The other may have left while the decoder came.
    if (isCurrent()) this.#handlers.onPeer(true);
    else player.stop();
  }

  #dropPeer(): void {
    const peer = this.#peer;
    this.#peer = undefined;
    void peer?.tokens.close();
    void peer?.sound.close();
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.leave();
    this.#handlers.onEnd(error);
  }
}

/** Publishes under the first name of the room that is free. */
async function publish(
  room: string,
  { quantizers, isLocal }: CallOptions,
): Promise<{ voice: Session; side: Side }> {
  let taken: unknown;
  for (const side of SIDES) {
    try {
      const voice = await connect(streamUrl(), {
        ...(isLocal ? { mode: 'relay', input: { coding: 'entropy' } } : { mode: 'encode' }),
        publish: { stream: streamName(room, side) },
        bitrate: rangeOf(quantizers),
      });
      return { voice, side };
    } catch (error) {
      if (!(error instanceof TesseraError && error.code === 'stream_taken')) throw error;
      taken = error;
    }
  }
  throw taken;
}

/** Begins to send a microphone, as samples or as the tokens that this page makes. */
function sendVoice(voice: Session, stream: MediaStream, options: CallOptions): Promise<Microphone> {
  if (!options.isLocal) return voice.sendMicrophone(stream, { workletUrl: CLIENT_FILES.worklets });
  return voice.sendMicrophone(stream, {
    encode: 'local',
    bitrate: { maxQuantizers: options.quantizers },
    framesPerPacket: FRAMES_PER_PACKET,
    ...localOptions(),
  });
}

/** Has another session decode what a subscriber gets, from its first frame on. */
function forward(tokens: Session, sound: Session): void {
  let base: number | undefined;
  tokens.on('tokens', (block) => {
    base ??= block.firstFrameIndex;
    if (sound.state === 'open') sound.sendTokens({ ...block, firstFrameIndex: block.firstFrameIndex - base });
  });
}

function streamName(room: string, side: Side): string {
  return `room.${room}.${side}`;
}
