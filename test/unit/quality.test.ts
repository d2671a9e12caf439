import { readFileSync } from 'node:fs';
import {
  alignByCrossCorrelation,
  extendedStoi,
  logMelDistance,
  scoreSpeech,
  segmentalSnr,
  stoi,
  waveformCorrelation,
} from '../../codec/quality/index.js';
import { Fft } from '../../codec/quality/fft.js';
import { resampleForScoring } from '../../codec/quality/signal.js';
import { addNoise, clip, delay, lowPass } from '../support/degradations.js';
import { fixtureUrl, readWavFixture } from '../support/wavFixture.js';

const DEGRADATIONS: Record<string, (signal: Float32Array, sampleRate: number) => Float32Array> = {
  none: (x) => x,
  'noise 20 dB': (x) => addNoise(x, 1, 20),
  'noise 10 dB': (x) => addNoise(x, 2, 10),
  'noise 0 dB': (x) => addNoise(x, 3, 0),
  'noise -10 dB': (x) => addNoise(x, 4, -10),
  'low-pass 2000 Hz': (x, sampleRate) => lowPass(x, sampleRate, 2000),
  'clip 10%': (x) => clip(x, 0.1),
  'delay 840, noise 15 dB': (x) => delay(addNoise(x, 5, 15), 840),
};

interface ReferenceRow {
  readonly file: string;
  readonly degradation: string;
  readonly stoi: number;
  readonly estoi: number;
  readonly log_mel_distance: number;
  readonly waveform_correlation: number;
  readonly log_spectral_distance: number;
  readonly segmental_snr: number;
  readonly lag_seconds: number;
}

const references = JSON.parse(
  readFileSync(fixtureUrl('reference-scores.json'), 'utf8'),
) as readonly ReferenceRow[];

const speech = readWavFixture('speech-it-1.wav');

describe('scores against codec/training/scores.py', () => {
  test('the reference file covers every degradation', () => {
    expect(new Set(references.map((row) => row.degradation))).toEqual(new Set(Object.keys(DEGRADATIONS)));
  });

  test.each(references)('$file, $degradation', (row) => {
    const { samples, sampleRate } = readWavFixture(row.file);
    const scores = scoreSpeech(samples, DEGRADATIONS[row.degradation]!(samples, sampleRate), sampleRate);
    expect(scores.stoi).toBeCloseTo(row.stoi, 4);
    expect(scores.extendedStoi).toBeCloseTo(row.estoi, 4);
    expect(scores.logMelDistance).toBeCloseTo(row.log_mel_distance, 4);
    expect(scores.waveformCorrelation).toBeCloseTo(row.waveform_correlation, 4);
    expect(scores.logSpectralDistanceDb).toBeCloseTo(row.log_spectral_distance, 3);
    expect(scores.segmentalSnrDb).toBeCloseTo(row.segmental_snr, 3);
    expect(scores.lagMs).toBeCloseTo(row.lag_seconds * 1000, 2);
  });
});

describe('sanity', () => {
  const { samples, sampleRate } = speech;

  test('identical signals score perfectly', () => {
    expect(stoi(samples, samples, sampleRate)).toBeCloseTo(1, 9);
    expect(extendedStoi(samples, samples, sampleRate)).toBeCloseTo(1, 9);
    expect(logMelDistance(samples, samples, sampleRate)).toBe(0);
    expect(waveformCorrelation(samples, samples)).toBeCloseTo(1, 9);
  });

  test('more noise lowers every score', () => {
    const scores = [25, 10, -5].map((snrDb) => scoreSpeech(samples, addNoise(samples, 7, snrDb), sampleRate));
    for (const [index, better] of scores.slice(0, -1).entries()) {
      const worse = scores[index + 1]!;
      expect(worse.stoi).toBeLessThan(better.stoi);
      expect(worse.extendedStoi).toBeLessThan(better.extendedStoi);
      expect(worse.logMelDistance).toBeGreaterThan(better.logMelDistance);
      expect(worse.waveformCorrelation).toBeLessThan(better.waveformCorrelation);
      expect(worse.logSpectralDistanceDb).toBeGreaterThan(better.logSpectralDistanceDb);
      expect(worse.segmentalSnrDb).toBeLessThan(better.segmentalSnrDb);
    }
  });

  test('noise alone is unrelated to speech', () => {
    const scores = scoreSpeech(samples, addNoise(samples, 9, -80), sampleRate);
    expect(Math.abs(scores.waveformCorrelation)).toBeLessThan(0.05);
    expect(scores.stoi).toBeLessThan(0.5);
    expect(scores.lagMs).toBe(0);
  });

  test('level does not change STOI, correlation does not see it either', () => {
    const quiet = samples.map((sample) => sample * 0.25);
    expect(stoi(samples, quiet, sampleRate)).toBeCloseTo(1, 6);
    expect(waveformCorrelation(samples, quiet)).toBeCloseTo(1, 6);
    expect(logMelDistance(samples, quiet, sampleRate)).toBeCloseTo(Math.log10(4), 1);
  });

  test.each([1, 360, 2399, -1, -777])('a delay of %d samples is found and taken away', (lag) => {
    const late = lag > 0 ? delay(samples, lag) : samples.subarray(-lag);
    const aligned = alignByCrossCorrelation(samples, late, sampleRate);
    expect(aligned.lagSamples).toBe(lag);
    expect(aligned.degraded).toEqual(aligned.reference);
    expect(waveformCorrelation(aligned.reference, aligned.degraded)).toBeCloseTo(1, 9);
  });

  test('the lag stays within its bound', () => {
    const aligned = alignByCrossCorrelation(samples, delay(samples, 2000), sampleRate, 50);
    expect(Math.abs(aligned.lagSamples)).toBeLessThanOrEqual(0.05 * sampleRate);
    expect(alignByCrossCorrelation(samples, delay(samples, 5), sampleRate, 0).lagSamples).toBe(0);
  });

  test('segmental SNR of evenly scaled frames is their ratio', () => {
    const louder = samples.map((sample) => sample * 1.1);
    expect(segmentalSnr(samples, louder, sampleRate)).toBeCloseTo(20, 3);
  });
});

describe('bad input', () => {
  const { samples, sampleRate } = speech;

  test.each([
    ['empty', new Float32Array(0)],
    ['shorter than a segment', samples.subarray(24_000, 24_000 + 6_000)],
    ['silent', new Float32Array(24_000)],
  ])('%s audio is refused with its code', (_, audio) => {
    expect(() => scoreSpeech(audio, audio, sampleRate)).toThrow(
      expect.objectContaining({ code: 'bad_audio' }),
    );
  });

  test.each([0, -8000, 44_100.5, NaN])('a sample rate of %d is refused', (rate) => {
    expect(() => scoreSpeech(samples, samples, rate)).toThrow(
      expect.objectContaining({ code: 'bad_options' }),
    );
  });
});

describe('signal tools', () => {
  test('the FFT agrees with the definition and inverts', () => {
    const size = 16;
    const input = Float64Array.from({ length: size }, (_, index) => Math.sin(index * index));
    const re = input.slice();
    const im = input.map((value) => -2 * value).reverse();
    const given = im.slice();
    const fft = new Fft(size);
    fft.forward(re, im);
    for (let bin = 0; bin < size; bin++) {
      let expectedRe = 0;
      let expectedIm = 0;
      for (let index = 0; index < size; index++) {
        const angle = (-2 * Math.PI * bin * index) / size;
        expectedRe += input[index]! * Math.cos(angle) - given[index]! * Math.sin(angle);
        expectedIm += input[index]! * Math.sin(angle) + given[index]! * Math.cos(angle);
      }
      expect(re[bin]).toBeCloseTo(expectedRe, 10);
      expect(im[bin]).toBeCloseTo(expectedIm, 10);
    }
    fft.inverse(re, im);
    re.forEach((value, index) => expect(value).toBeCloseTo(input[index]!, 12));
    im.forEach((value, index) => expect(value).toBeCloseTo(given[index]!, 12));
    expect(() => new Fft(12)).toThrow(RangeError);
  });

  test.each([8_000, 16_000, 24_000, 44_100, 48_000])(
    'a tone resampled from %d Hz keeps level, pitch and phase',
    (rate) => {
      const tone = (sampleRate: number) =>
        Float32Array.from({ length: sampleRate / 2 }, (_, index) =>
          Math.sin((2 * Math.PI * 1000 * index) / sampleRate),
        );
      const resampled = resampleForScoring(tone(rate), rate, 10_000);
      const expected = tone(10_000);
      expect(resampled.length).toBe(5_000);
      for (let index = 200; index < 4_800; index++) {
        expect(Math.abs(resampled[index]! - expected[index]!)).toBeLessThan(2e-3);
      }
    },
  );

  test('a tone above the new Nyquist frequency is gone', () => {
    const tone = Float32Array.from({ length: 12_000 }, (_, index) =>
      Math.sin((2 * Math.PI * 5600 * index) / 24_000),
    );
    const resampled = resampleForScoring(tone, 24_000, 10_000).subarray(200, -200);
    expect(Math.max(...resampled)).toBeLessThan(2e-3);
  });
});
