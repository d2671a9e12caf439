/** A promise that is settled from outside; whether anyone waits for it is theirs to decide. */
export class Deferred<Value> {
  readonly promise: Promise<Value>;
  #resolve: (value: Value) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor() {
    this.promise = new Promise<Value>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise.catch(() => undefined);
  }

  /** Settles it, unless it is settled. */
  resolve(value: Value): void {
    this.#resolve(value);
  }

  /** Settles it with an error, unless it is settled. */
  reject(error: unknown): void {
    this.#reject(error);
  }
}
