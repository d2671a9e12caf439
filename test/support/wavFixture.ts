import { readFileSync } from 'node:fs';

/** A recording of test/fixtures, read independently of the code under test. */
export interface WavFixture {
  readonly sampleRate: number;
  /** Mono, in [-1, 1]: 16-bit values divided by 32,768, so exact in single precision. */
  readonly samples: Float32Array;
}

/** Path of a file in test/fixtures of the checkout (tests run from dist/). */
export const fixtureUrl = (name: string): URL => new URL(`../../../test/fixtures/${name}`, import.meta.url);

/** Reads a 16-bit mono WAV file of test/fixtures. */
export function readWavFixture(name: string): WavFixture {
  const bytes = readFileSync(fixtureUrl(name));
  let sampleRate: number | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const id = bytes.toString('latin1', at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    if (id === 'fmt ') sampleRate = bytes.readUInt32LE(at + 12);
    if (id === 'data' && sampleRate !== undefined) {
      const count = Math.floor(Math.min(size, bytes.length - at - 8) / 2);
      const samples = Float32Array.from(
        { length: count },
        (_, index) => bytes.readInt16LE(at + 8 + 2 * index) / 32768,
      );
      return { sampleRate, samples };
    }
    at += 8 + size + (size % 2);
  }
  throw new Error(`${name}: no WAV data`);
}
