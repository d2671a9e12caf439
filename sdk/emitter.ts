/** Takes back a subscription; safe to call again. */
export type Unsubscribe = () => void;

/** Typed events: names, and what their listeners are given. A listener that throws does not keep it from the others. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls `listener` for every event of that name, in the order of subscription. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): Unsubscribe {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Tells the listeners of `name`. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (event: Events[Name]) => void)(event);
      } catch (error) {
        // As a DOM event target does: it surfaces as an uncaught error, and the stream goes on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
