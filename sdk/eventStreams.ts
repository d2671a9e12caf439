import { BoundedStream } from './boundedStream.js';
import type { SessionEvents } from './sessionEvents.js';

/** The events that can also be read with an iterator. */
type ReadEvents = Pick<SessionEvents, 'tokens' | 'audio' | 'stats' | 'state'>;
/** A name of those. */
export type ReadName = keyof ReadEvents;

/** What an iterator holds for a reader that is slow, before the oldest goes. */
const MAX_UNREAD_ITEMS = 1024;

/** The iterators over a session's events; each has all events since it was made. */
export class EventStreams {
  readonly #readers: {
    readonly [Name in ReadName]: Set<BoundedStream<ReadEvents[Name]>>;
  } = { tokens: new Set(), audio: new Set(), stats: new Set(), state: new Set() };
  #end: { readonly error: Error | undefined } | undefined;

  /** A new iterator; over nothing, after the end. */
  read<Name extends ReadName>(name: Name): BoundedStream<ReadEvents[Name]> {
    const readers = this.#readers[name];
    const stream: BoundedStream<ReadEvents[Name]> = new BoundedStream(MAX_UNREAD_ITEMS, () =>
      readers.delete(stream),
    );
    if (this.#end) stream.end(this.#end.error);
    else readers.add(stream);
    return stream;
  }

  /** Hands an event to the iterators of that name. */
  push<Name extends ReadName>(name: Name, event: ReadEvents[Name]): void {
    for (const reader of this.#readers[name]) reader.push(event);
  }

  /** Nothing more comes; every reader is told, with the error where there is one. */
  end(error: Error | undefined): void {
    this.#end = { error };
    const end = (reader: { end(error: unknown): void }): void => reader.end(error);
    for (const name of Object.keys(this.#readers) as ReadName[]) this.#readers[name].forEach(end);
  }
}
