/** Over which a rate is taken. */
const WINDOW_MS = 2000;

/** The rate of a count that grows, over the last two seconds. */
export class RateMeter {
  readonly #points: { readonly atMs: number; readonly bytes: number }[] = [];

  /** Bits a second, of a count of bytes that stands at `bytes` now. */
  at(nowMs: number, bytes: number): number {
    this.#points.push({ atMs: nowMs, bytes });
    while (this.#points.length > 2 && nowMs - this.#points[0]!.atMs > WINDOW_MS) this.#points.shift();
    const first = this.#points[0]!;
    return nowMs > first.atMs ? (8000 * (bytes - first.bytes)) / (nowMs - first.atMs) : 0;
  }
}
