/** Columns of values by index, the newest `capacity` of them: what a scrolling view shows. */
export class Strip {
  readonly capacity: number;
  readonly rows: number;
  readonly #values: Int32Array;
  readonly #indices: Float64Array;
  #end = 0;

  constructor(capacity: number, rows: number) {
    this.capacity = capacity;
    this.rows = rows;
    this.#values = new Int32Array(capacity * rows).fill(-1);
    this.#indices = new Float64Array(capacity).fill(-1);
  }

  /** One more than the highest index so far. */
  get end(): number {
    return this.#end;
  }

  /** Puts column `index`, of at most `rows` values; rows that are left over are empty. */
  put(index: number, values: ArrayLike<number>): void {
    if (index < 0) return;
    const slot = index % this.capacity;
    if (this.#indices[slot]! > index) return;
    this.#indices[slot] = index;
    for (let row = 0; row < this.rows; row += 1) {
      this.#values[slot * this.rows + row] = row < values.length ? values[row]! : -1;
    }
    this.#end = Math.max(this.#end, index + 1);
  }

  /** The value at a column and row, -1 where there is none (any more). */
  at(index: number, row: number): number {
    const slot = ((index % this.capacity) + this.capacity) % this.capacity;
    return this.#indices[slot] === index ? this.#values[slot * this.rows + row]! : -1;
  }

  /** Forgets everything. */
  clear(): void {
    this.#values.fill(-1);
    this.#indices.fill(-1);
    this.#end = 0;
  }
}
