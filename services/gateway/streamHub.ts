import { TesseraError } from '../../protocol/errors.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { GatewayLimits } from './limits.js';
import { SharedPackets } from './sharedPackets.js';

/** What a stream tells a session that is subscribed to it. None of these may throw. */
export interface StreamListener {
  /** The next frames, as they were encoded: not to be changed, others get the same ones. */
  readonly onBlock: (block: TokenBlock) => void;
  /** So many frames from that index on will never come. */
  readonly onGap: (firstFrameIndex: number, frameCount: number) => void;
  /** The publisher has ended a stretch of sound: what waits to fill a packet should go. */
  readonly onStretchEnd: () => void;
  /** The publisher has ended. */
  readonly onEnd: () => void;
}

/** A session's place in a stream. */
export interface Subscription {
  /** Index of the next frame that comes. */
  readonly nextFrameIndex: number;
  readonly sharedPackets: SharedPackets;
  /** Takes nothing more. Safe to call again. */
  close(): void;
}

/** The streams that sessions publish, by name, and who gets them. Every frame is encoded once, for all. */
export class StreamHub {
  readonly #limits: Pick<GatewayLimits, 'maxStreams' | 'maxSubscribersPerStream'>;
  readonly #streams = new Map<string, PublishedStream>();

  constructor(limits: Pick<GatewayLimits, 'maxStreams' | 'maxSubscribersPerStream'>) {
    this.#limits = limits;
  }

  /** Streams at once. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Subscriptions to all streams. */
  get subscriberCount(): number {
    let count = 0;
    for (const stream of this.#streams.values()) count += stream.subscriberCount;
    return count;
  }

  /** Begins a stream. @throws TesseraError `stream_taken`, `at_capacity` */
  publish(name: string): PublishedStream {
    if (this.#streams.has(name)) {
      throw new TesseraError('stream_taken', `The stream "${name}" is published by another session`);
    }
    const { maxStreams, maxSubscribersPerStream } = this.#limits;
    if (this.#streams.size >= maxStreams) {
      throw new TesseraError('at_capacity', `All ${maxStreams} streams of this server are taken`);
    }
    const stream = new PublishedStream(maxSubscribersPerStream, () => this.#streams.delete(name));
    this.#streams.set(name, stream);
    return stream;
  }

  /** Joins a stream at its next frame. @throws TesseraError `no_such_stream`, `at_capacity` */
  subscribe(name: string, listener: StreamListener): Subscription {
    const stream = this.#streams.get(name);
    if (stream === undefined) throw new TesseraError('no_such_stream', `Nobody publishes "${name}"`);
    return stream.subscribe(listener);
  }
}

/** One stream, at its publisher's side. */
export class PublishedStream {
  readonly #maxSubscribers: number;
  readonly #onEnd: () => void;
  readonly #listeners = new Set<StreamListener>();
  readonly #sharedPackets = new SharedPackets();
  #nextFrameIndex = 0;

  /** Use {@link StreamHub.publish}. */
  constructor(maxSubscribers: number, onEnd: () => void) {
    this.#maxSubscribers = maxSubscribers;
    this.#onEnd = onEnd;
  }

  get subscriberCount(): number {
    return this.#listeners.size;
  }

  /** Gives the next frames to all. */
  add(block: TokenBlock): void {
    this.#nextFrameIndex = block.firstFrameIndex + block.frameCount;
    this.#sharedPackets.note(block);
    for (const listener of this.#listeners) listener.onBlock(block);
  }

  /** Says that so many of the next frames, the first of that index, will never come. */
  skip(firstFrameIndex: number, frameCount: number): void {
    this.#nextFrameIndex = firstFrameIndex + frameCount;
    for (const listener of this.#listeners) listener.onGap(firstFrameIndex, frameCount);
  }

  /** Says that a stretch of sound has ended. */
  endStretch(): void {
    for (const listener of this.#listeners) listener.onStretchEnd();
  }

  /** Joins at the next frame. @throws TesseraError `at_capacity` */
  subscribe(listener: StreamListener): Subscription {
    if (this.#listeners.size >= this.#maxSubscribers) {
      throw new TesseraError('at_capacity', `The stream has all its ${this.#maxSubscribers} subscribers`);
    }
    this.#listeners.add(listener);
    const nextFrameIndex = (): number => this.#nextFrameIndex;
    return {
      get nextFrameIndex() {
        return nextFrameIndex();
      },
      sharedPackets: this.#sharedPackets,
      close: () => this.#listeners.delete(listener),
    };
  }

  /** Frees the name and tells all. Safe to call again. */
  end(): void {
    this.#onEnd();
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener.onEnd();
  }
}
