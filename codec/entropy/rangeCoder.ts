/**
 * Binary range coder (Martin 1979, with the carry handling of the LZMA coder by Pavlov): integers only, so every machine
 * writes and reads the same bytes. Probabilities have 16 bits and are those of a 1.
 */

/** Probabilities are parts of so many. */
export const PROBABILITY_BITS = 16;

const TOP = 2 ** 24;
const CARRY = 2 ** 32;
const INITIAL_CAPACITY = 256;

/** Writes bits, each in about -log2 of its probability. */
export class RangeEncoder {
  #bytes = new Uint8Array(INITIAL_CAPACITY);
  #length = 0;
  /** Up to 33 bits: an exact integer. */
  #low = 0;
  #range = 0xffffffff;

  /** Codes `bit`, of which 1 has the given probability, 1 to 65,535. */
  encode(bit: number, probability: number): void {
    const bound = (this.#range >>> PROBABILITY_BITS) * probability;
    if (bit === 1) {
      this.#range = bound;
    } else {
      this.#low += bound;
      this.#range -= bound;
    }
    while (this.#range < TOP) {
      this.#range = (this.#range << 8) >>> 0;
      this.#shift();
    }
  }

  /** The bytes so far, as few as tell the bits apart from all others; the encoder starts anew. */
  finish(): Uint8Array {
    const result = this.#end();
    this.#length = 0;
    this.#low = 0;
    this.#range = 0xffffffff;
    return result;
  }

  /** What {@link finish} would give now; the encoder goes on. */
  peek(): Uint8Array {
    const low = this.#low;
    const length = this.#length;
    // A carry may go into all bytes so far.
    const bytes = this.#bytes.slice();
    const result = this.#end();
    this.#bytes = bytes;
    this.#length = length;
    this.#low = low;
    return result;
  }

  #end(): Uint8Array {
    // The value within the last interval with the most zeros at its end; the reader takes missing bytes for zeros.
    const end = this.#low + this.#range;
    for (let bits = 32; bits >= 0; bits -= 8) {
      const unit = 2 ** bits;
      const value = Math.ceil(this.#low / unit) * unit;
      if (value < end) {
        this.#low = value;
        break;
      }
    }
    for (let at = 0; at < 4; at += 1) this.#shift();
    let length = this.#length;
    while (length > 0 && this.#bytes[length - 1] === 0) length -= 1;
    return this.#bytes.slice(0, length);
  }

  /** Moves the top byte out; a carry goes into the bytes before it. */
  #shift(): void {
    if (this.#low >= CARRY) {
      this.#low -= CARRY;
      let at = this.#length - 1;
      while (this.#bytes[at] === 0xff) {
        this.#bytes[at] = 0;
        at -= 1;
      }
      this.#bytes[at] = (this.#bytes[at] ?? 0) + 1;
    }
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length] = Math.floor(this.#low / TOP);
    this.#length += 1;
    this.#low = (this.#low % TOP) * 256;
  }
}

/** Reads what {@link RangeEncoder} wrote, given the same probabilities. Any bytes decode to some bits. */
export class RangeDecoder {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #range = 0;
  #code = 0;

  /** Begins to read a segment. */
  start(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#range = 0xffffffff;
    this.#code = 0;
    for (let at = 0; at < 4; at += 1) this.#code = ((this.#code << 8) | this.#next()) >>> 0;
  }

  /** The next bit, of which 1 has the given probability. */
  decode(probability: number): number {
    const bound = (this.#range >>> PROBABILITY_BITS) * probability;
    let bit = 1;
    if (this.#code < bound) {
      this.#range = bound;
    } else {
      this.#code -= bound;
      this.#range -= bound;
      bit = 0;
    }
    while (this.#range < TOP) {
      this.#range = (this.#range << 8) >>> 0;
      this.#code = ((this.#code << 8) | this.#next()) >>> 0;
    }
    return bit;
  }

  /** Whether bytes are left that no bit needed. */
  get hasRest(): boolean {
    return this.#at < this.#bytes.length;
  }

  #next(): number {
    const byte = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }
}
