import type { SessionTotals } from '../protocol/serverMessages.js';
import { Deferred } from './deferred.js';

/** A flush that was asked for and not answered yet. */
export class Flush {
  readonly answer = new Deferred<SessionTotals>();
  readonly #say: () => void;
  #isDue = false;

  /** `say` tells the server, where there is a connection: once nothing has to be sent before it any more. */
  constructor(say: () => void, before: Promise<void> | undefined) {
    this.#say = say;
    if (before === undefined) this.#begin();
    // What fails there ends the session.
    else before.then(() => this.#begin()).catch(() => undefined);
  }

  /** The connection is another one, or was missing: says it again. */
  repeat(): void {
    if (this.#isDue) this.#say();
  }

  #begin(): void {
    this.#isDue = true;
    this.#say();
  }
}
