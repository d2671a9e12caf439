import { decode } from 'fast-png';
import { shortTimeMagnitudes } from '../../../codec/quality/signal.js';
import { readAudio } from '../../../codec/index.js';
import { drawRateDistortion, renderPng } from '../../../scripts/bench/quality/charts.js';
import { openTessera } from '../../../scripts/bench/quality/codecs.js';
import { summarize, type Figures } from '../../../scripts/bench/quality/figures.js';
import { listeningPage } from '../../../scripts/bench/quality/listen.js';
import { chooseSettings } from '../../../scripts/bench/quality/matchedRates.js';
import { measureRecording } from '../../../scripts/bench/quality/measure.js';
import { addNoise, mixAt, pinkNoise } from '../../../scripts/bench/quality/noise.js';
import { qualityReport } from '../../../scripts/bench/quality/report.js';
import type { Row } from '../../../scripts/bench/rivals/rival.js';
import type { TesseraCodec } from '../../../scripts/bench/rivals/tessera.js';
import { SCORES, type MeanScores } from '../../../scripts/bench/quality/scores.js';
import { judge } from '../../../scripts/bench/quality/verdict.js';

const RATE = 24_000;

function figures(name: string, kbps: number, scores: Partial<MeanScores>): Figures {
  const all = Object.fromEntries(SCORES.map(({ key }) => [key, 0])) as MeanScores;
  const family = name.startsWith('Tessera') ? 'Tessera, packed' : name;
  return { name, family, kbps, timesRealTime: 10, scores: { ...all, ...scores } };
}

describe('the codecs on a recording', () => {
  let tessera: TesseraCodec;
  let speech: Float32Array;

  beforeAll(async () => {
    tessera = await openTessera('default');
    speech = (await readAudio('test/fixtures/speech-de-1.wav', { sampleRate: RATE })).subarray(0, 2 * RATE);
  });
  afterAll(() => tessera.model.close());

  test('Tessera keeps its sound when its tokens are entropy-coded, in fewer bits; with adaptive depth in fewer still', async () => {
    const rows = tessera.rows([{ maxQuantizers: 4 }, { maxQuantizers: 4, strength: 0.5 }]);
    const { rows: results } = await measureRecording(rows, { input: speech, isKept: true }, RATE);
    const [packed, coded, adaptive] = results;
    expect(packed?.bits).toBe(101 * 4 * 10);
    expect(coded?.bits).toBeLessThan(0.95 * 101 * 4 * 10);
    expect(coded?.scores).toEqual(packed?.scores);
    expect(coded?.samples).toBeUndefined();
    expect(adaptive?.bits).toBeLessThan(coded?.bits ?? 0);
    expect(adaptive?.scores.stoi).toBeLessThan(packed?.scores.stoi ?? 0);
    expect(adaptive?.scores.stoi).toBeGreaterThan(0.8);
    expect(packed?.samples).toHaveLength(speech.length);
  });

  test('settings for a rate are within it on the recordings they are chosen on, and no deeper ones are needed', async () => {
    const sounds = [{ name: 'de', samples: speech }];
    const [setting] = await chooseSettings(tessera, sounds, [1]);
    const blocks = tessera.cut(await tessera.encode(speech), setting ?? { maxQuantizers: 1 });
    const kbps = tessera.codedBits(blocks) / 2 / 1000;
    expect(kbps).toBeLessThan(1);
    expect(kbps).toBeGreaterThan(0.8);
    expect(setting?.maxQuantizers).toBeGreaterThanOrEqual(2);
  });

  test('output is held against what went in and against clean speech, and given back aligned', async () => {
    const late: Row = {
      name: 'late',
      family: 'late',
      code: (input) => {
        const samples = new Float32Array(input.length + 480);
        samples.set(input, 480);
        return Promise.resolve({ samples, bits: 1000, workMs: 1 });
      },
    };
    const noisy = speech.map((sample, at) => sample + 0.05 * Math.sin(at * at));
    const result = await measureRecording([late], { input: noisy, clean: speech, isKept: true }, RATE);
    const [row] = result.rows;
    expect(row?.scores.stoi).toBeCloseTo(1, 6);
    expect(row?.scores.lagMs).toBe(20);
    expect(row?.cleanScores?.stoi).toBeLessThan(0.99);
    expect(row?.cleanScores?.stoi).toBeCloseTo(result.inputScores?.stoi ?? 0, 6);
    expect(Buffer.from(row?.samples?.buffer ?? new ArrayBuffer(0)).equals(Buffer.from(noisy.buffer))).toBe(
      true,
    );
    await expect(
      measureRecording(
        [{ ...late, code: () => Promise.reject(new Error('no')) }],
        { input: noisy, isKept: false },
        RATE,
      ),
    ).rejects.toThrow('late failed');
  });

  test('a set has the bits of all recordings over their length, and the mean of their scores', async () => {
    const rows = tessera.rows([{ maxQuantizers: 1 }]).slice(0, 1);
    const tasks = [speech.subarray(0, RATE), speech].map((input) => ({ input, isKept: false }));
    const results = [];
    for (const task of tasks) results.push(await measureRecording(rows, task, RATE));
    const set = summarize({ name: 'set', description: '' }, tasks, results, rows, RATE);
    expect(set.seconds).toBe(3);
    expect(set.rows[0]?.kbps).toBeCloseTo(((51 + 101) * 10) / 3 / 1000, 9);
    const [one, other] = results.map((result) => result.rows[0]?.scores.stoi ?? 0);
    expect(set.rows[0]?.scores.stoi).toBeCloseTo(((one ?? 0) + (other ?? 0)) / 2, 9);
  });
});

describe('noise', () => {
  const level = (samples: Float32Array): number => samples.reduce((sum, sample) => sum + sample ** 2, 0);

  test('is at the ratio asked for, falls by 3 dB an octave where it is pink, and is the same each time', async () => {
    const speech = await readAudio('test/fixtures/speech-it-1.wav', { sampleRate: RATE });
    const pink = pinkNoise(speech.length, 3);
    const added = mixAt(speech, pink, 10).map((sample, at) => sample - (speech[at] ?? 0));
    expect(10 * Math.log10(level(speech) / level(added))).toBeCloseTo(10, 3);
    const window = new Float64Array(1024).fill(1);
    const { magnitudes, binCount, frameCount } = shortTimeMagnitudes(
      pinkNoise(240_000, 3),
      window,
      1024,
      1024,
    );
    const powerOf = (first: number, end: number): number => {
      let sum = 0;
      for (let frame = 0; frame < frameCount; frame += 1) {
        for (let bin = first; bin < end; bin += 1) sum += (magnitudes[frame * binCount + bin] ?? 0) ** 2;
      }
      return sum;
    };
    // Each octave has the same power.
    expect(10 * Math.log10(powerOf(16, 32) / powerOf(128, 256))).toBeCloseTo(0, 0);
    const recordings = ['a', 'b', 'c'].map((name) => ({ name, samples: speech.subarray(0, RATE) }));
    const bytesOf = (at: number): Buffer =>
      Buffer.from(addNoise(recordings)[at]?.samples.buffer ?? new ArrayBuffer(0));
    expect(bytesOf(0).equals(bytesOf(0))).toBe(true);
    expect(bytesOf(0).equals(bytesOf(1))).toBe(false);
    expect(bytesOf(0).equals(bytesOf(2))).toBe(false);
  });
});

test('the listening page holds each version with its sound and its picture', async () => {
  const samples = Float32Array.from(
    { length: RATE },
    (_, at) => 0.3 * Math.sin((2 * Math.PI * 3000 * at) / RATE),
  );
  const page = await listeningPage(
    [{ name: 'a & b', versions: [{ name: 'Opus 6', note: '', samples }] }],
    RATE,
  );
  expect(page).toContain('a &amp; b');
  const clip = Buffer.from(/audio\/flac;base64,([^"]+)/.exec(page)?.[1] ?? '', 'base64');
  expect(clip.subarray(0, 4).toString()).toBe('fLaC');
  const { width, height, data } = decode(
    Buffer.from(/image\/png;base64,([^"]+)/.exec(page)?.[1] ?? '', 'base64'),
  );
  expect([width, height]).toEqual([98, 128]);
  // The tone is a dark line at a quarter of the height; white elsewhere.
  const column = Array.from({ length: height }, (_, row) => data[row * width + 50] ?? 0);
  expect(column.indexOf(Math.min(...column))).toBeCloseTo(96, -1);
  expect(column[20]).toBe(255);
});

describe('the verdict', () => {
  const rows = [
    figures('Tessera q6', 3.01, {
      stoi: 0.9,
      extendedStoi: 0.79,
      logMelDistance: 0.21,
      waveformCorrelation: 0.8004,
    }),
    figures('Tessera q7', 3.5, { stoi: 0.95 }),
    figures('Lyra v2 3.2', 3.2, { stoi: 0.91, logMelDistance: 0.3, waveformCorrelation: 0.8001 }),
  ];
  const [verdict] = judge(rows).filter(({ kbps }) => kbps === 3);

  test('takes the best row within the rate, and holds it against figures', () => {
    expect(verdict?.tessera.name).toBe('Tessera q6');
    const met = verdict?.absolute.map(({ score, isMet }) => [score.key, isMet]);
    expect(met).toEqual([
      ['stoi', true],
      ['extendedStoi', false],
      ['logMelDistance', true],
    ]);
  });

  test('knows which way each score is better, and a tie in the digits shown', () => {
    const against = new Map(verdict?.rivals[0]?.scores.map(({ score, isAhead }) => [score.key, isAhead]));
    expect(against.get('stoi')).toBe(false);
    expect(against.get('logMelDistance')).toBe(true);
    expect(against.get('waveformCorrelation')).toBeUndefined();
  });

  test('the report and the charts have every codec', () => {
    const set = { name: 'as recorded', description: 'As they are.', recordings: 1, seconds: 2, rows };
    const report = qualityReport([set], judge(rows), {
      heading: ['machine'],
      absent: ['Opus (no opusenc)'],
      chart: 'quality.png',
    });
    expect(report).toContain('| against Lyra v2 3.2 | | **behind** | **ahead** | **ahead** |');
    expect(report).toContain('- not run here: Opus (no opusenc)');
    expect(report).toContain('- ESTOI at least 0.8: 0.790, **missed**');
    const svg = drawRateDistortion(set);
    expect(svg.match(/>Lyra v2 3.2</g)).toHaveLength(SCORES.length);
    expect(svg).not.toContain('NaN');
    expect(Buffer.from(renderPng(svg)).subarray(1, 4).toString()).toBe('PNG');
  });
});
