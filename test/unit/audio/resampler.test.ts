import { StreamingResampler } from '../../../codec/audio/index.js';
import { concat, differenceDb, errorOf, fixtureFloats, pieces } from './audioFiles.js';

async function resample(
  samples: Float32Array,
  inputRate: number,
  outputRate: number,
  sizes: readonly number[] = [samples.length],
): Promise<Float32Array> {
  const resampler = await StreamingResampler.create(inputRate, outputRate);
  const parts: Float32Array[] = [];
  for (const piece of pieces(samples, sizes)) parts.push(resampler.push(piece).slice());
  parts.push(resampler.flush());
  resampler.close();
  return concat(parts);
}

function sine(frequency: number, rate: number, samples: number): Float32Array {
  return Float32Array.from(
    { length: samples },
    (_, index) => 0.5 * Math.sin((2 * Math.PI * frequency * index) / rate),
  );
}

function levelDb(samples: Float32Array): number {
  return 10 * Math.log10(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

const speech = fixtureFloats('speech-de-1.wav').subarray(0, 60_000);

describe('the resampler', () => {
  test.each([8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])(
    'gives the same samples from %i Hz however the input is cut',
    async (rate) => {
      const whole = await resample(speech, rate, 24_000);
      expect(await resample(speech, rate, 24_000, [rate / 50])).toEqual(whole);
      expect(await resample(speech, rate, 24_000, [1, 2, 4_095, 17, 9_001])).toEqual(whole);
    },
  );

  test.each([
    [8_000, 24_000],
    [44_100, 24_000],
    [44_099, 24_000],
    [192_000, 24_000],
    [24_000, 192_000],
    [24_000, 8_000],
  ])('from %i to %i Hz gives round(N * ratio) samples', async (inputRate, outputRate) => {
    for (const samples of [1, 2, 3, 100, 4_096, 4_097, 20_011]) {
      const output = await resample(speech.subarray(0, samples), inputRate, outputRate);
      expect(output.length).toBe(Math.round((samples * outputRate) / inputRate));
    }
  });

  test.each([8_000, 16_000, 22_050, 44_100, 48_000, 192_000])(
    'keeps a tone from %i Hz in place and clean to 100 dB',
    async (rate) => {
      const output = await resample(sine(1_000, rate, rate), rate, 24_000, [977]);
      const error = output.map(
        (sample, index) => sample - 0.5 * Math.sin((2 * Math.PI * 1_000 * index) / 24_000),
      );
      // The tone starts and stops at once, which no band-limited signal does: the ends are left out.
      expect(levelDb(error.subarray(1_000, -1_000)) - levelDb(output)).toBeLessThan(-100);
    },
  );

  test('keeps the top of the band that speech needs', async () => {
    const output = await resample(sine(7_000, 16_000, 16_000), 16_000, 24_000);
    const lossDb = levelDb(sine(7_000, 24_000, 22_000)) - levelDb(output.subarray(1_000, -1_000));
    expect(lossDb).toBeLessThan(0.5);
  });

  test('lets nothing above the new band fold back', async () => {
    const output = await resample(sine(17_000, 48_000, 48_000), 48_000, 24_000);
    expect(levelDb(output.subarray(1_000, -1_000))).toBeLessThan(-100);
  });

  test('brings real speech back from a higher rate', async () => {
    const there = await resample(speech, 24_000, 48_000, [333]);
    const back = await resample(there, 48_000, 24_000, [960]);
    // What lies beyond 90% of the band (10.8 kHz) is lost, so this is far from exact, but nothing has moved.
    expect(differenceDb(back, speech)).toBeLessThan(-40);
  });

  test('passes equal rates through untouched', async () => {
    expect(await resample(speech, 24_000, 24_000, [1_001])).toEqual(speech);
  });

  test('gives nothing for nothing', async () => {
    expect((await resample(new Float32Array(0), 48_000, 24_000)).length).toBe(0);
  });

  test('refuses samples after its end', async () => {
    const resampler = await StreamingResampler.create(48_000, 24_000);
    resampler.flush();
    const late = Promise.resolve().then(() => resampler.push(new Float32Array(1)));
    expect((await errorOf(late)).code).toBe('bad_state');
    resampler.close();
    resampler.close();
  });
});
