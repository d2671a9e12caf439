import { hzOfMel, melOfHz, MelSpectrum } from '../../../studio/dsp/melSpectrum.js';
import { readWavFixture } from '../../support/wavFixture.js';

const RATE = 24_000;
const OPTIONS = { sampleRate: RATE, hop: 240, bands: 96 };

function columnsOf(pcm: Float32Array, pieceSamples = pcm.length): Uint8Array[] {
  const spectrum = new MelSpectrum(OPTIONS);
  const columns: Uint8Array[] = [];
  for (let at = 0; at < pcm.length; at += pieceSamples) {
    spectrum.push(pcm.subarray(at, at + pieceSamples), (levels) => columns.push(levels));
  }
  return columns;
}

const sine = (hz: number, amplitude: number): Float32Array =>
  Float32Array.from({ length: RATE / 4 }, (_, n) => amplitude * Math.sin((2 * Math.PI * hz * n) / RATE));

const loudest = (levels: Uint8Array): number => levels.indexOf(Math.max(...levels));

test.each([120, 440, 1000, 3300, 9000])('a sine of %d Hz is loudest in the band of its pitch', (hz) => {
  const step = (melOfHz(RATE / 2) - melOfHz(60)) / (OPTIONS.bands + 1);
  const expected = (melOfHz(hz) - melOfHz(60)) / step - 1;
  const column = columnsOf(sine(hz, 0.1)).at(-1)!;
  expect(Math.abs(loudest(column) - expected)).toBeLessThanOrEqual(1);
});

test('20 dB less sound is 20 dB lower in the picture', () => {
  const [loud, quiet] = [0.1, 0.01].map((amplitude) => Math.max(...columnsOf(sine(1000, amplitude)).at(-1)!));
  const levelsOf20Db = (20 * 255) / (92 - 18);
  expect(loud! - quiet!).toBeGreaterThan(levelsOf20Db - 2);
  expect(loud! - quiet!).toBeLessThan(levelsOf20Db + 2);
});

test('silence is empty, and a column comes every hop', () => {
  const columns = columnsOf(new Float32Array(RATE));
  expect(columns).toHaveLength(RATE / OPTIONS.hop);
  expect(columns.every((levels) => levels.every((level) => level === 0))).toBe(true);
});

test('speech gives the same columns in pieces of any size', () => {
  const pcm = readWavFixture('speech-en-1.wav').samples.subarray(0, RATE);
  const whole = columnsOf(pcm);
  for (const pieceSamples of [1, 128, 480, 7777]) expect(columnsOf(pcm, pieceSamples)).toEqual(whole);
});

test('mel and Hz are each other’s inverse', () => {
  for (const hz of [60, 700, 12_000]) expect(hzOfMel(melOfHz(hz))).toBeCloseTo(hz, 6);
});
