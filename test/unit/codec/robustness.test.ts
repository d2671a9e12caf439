import { BUNDLED_MODELS, CodecModel } from '../../../codec/index.js';
import { SOUND_CONDITIONS, SPEECH_CONDITIONS } from '../../../scripts/bench/robustness/conditions.js';
import { inRoom } from '../../../scripts/bench/robustness/degradations.js';
import {
  BOUNDS,
  brokenBounds,
  compareLevels,
  levelDb,
  resynthesize,
} from '../../../scripts/bench/robustness/measure.js';
import { tone, whiteNoise } from '../../../scripts/bench/robustness/sounds.js';
import { readWavFixture } from '../../support/wavFixture.js';

/** Those of the bench that are hardest to stand. */
const SPEECH = [
  'peak 20 dB over full scale, clipped',
  '50 dB quieter',
  'cut by digital zero',
  'white noise, 0 dB',
];
const SOUNDS = [
  'digital zero',
  'noise at -80 dB',
  'noise, full scale',
  'constant 1',
  'square wave, 200 Hz, full scale',
  'clicks, full scale, 5 a second',
];

const { samples, sampleRate } = readWavFixture('speech-ja-1.wav');
const speech = samples.subarray(0, 3 * sampleRate);

describe.each(BUNDLED_MODELS)('%s keeps its bounds', (name) => {
  let model: CodecModel;

  beforeAll(async () => {
    model = await CodecModel.load({ model: name, provider: 'cpu' });
  });

  afterAll(() => model.close());

  const figuresOf = async (input: Float32Array): Promise<string[]> => {
    const outputs = await resynthesize(model, input, [1, model.manifest.quantizers]);
    return outputs.flatMap(({ pcm }) => brokenBounds(compareLevels(input, pcm, sampleRate)));
  };

  test.each(SPEECH)('on speech: %s', async (condition) => {
    const { apply } = SPEECH_CONDITIONS.find((each) => each.name === condition)!;
    expect(await figuresOf(apply({ sampleRate, speech, others: [] }))).toEqual([]);
  });

  test.each(SOUNDS)('on %s', async (condition) => {
    const { create } = SOUND_CONDITIONS.find((each) => each.name === condition)!;
    expect(await figuresOf(create(sampleRate).subarray(0, 2 * sampleRate))).toEqual([]);
  });
});

describe('the bounds', () => {
  const second = (valueAt: (at: number) => number): Float32Array =>
    Float32Array.from({ length: sampleRate }, (_, at) => valueAt(at));
  const silence = second(() => 0);
  const broken = (input: Float32Array, output: Float32Array): string[] =>
    brokenBounds(compareLevels(input, output, sampleRate));

  test('hold for a copy', () => {
    expect(broken(speech, speech)).toEqual([]);
    expect(broken(silence, silence)).toEqual([]);
  });

  test('are broken by what is not a number, beyond full scale, or too loud', () => {
    const quiet = speech.map((sample) => sample / 2);
    const wrong = speech.slice();
    wrong[9] = Number.NaN;
    expect(broken(speech, wrong)).toContainEqual('1 samples are not finite');
    expect(
      broken(
        speech,
        speech.map((sample, at) => (at === 9 ? -1.5 : sample)),
      ),
    ).toEqual(['a sample of 1.5']);
    expect(
      broken(
        quiet,
        quiet.map((sample) => 1.5 * sample),
      ),
    ).toEqual([expect.stringMatching(/ dB from /)]);
  });

  test('are broken by a burst in silence, but not by the end of the speech before it', () => {
    const input = second((at) => (at < sampleRate / 2 ? 0.1 * Math.sin(at) : 0));
    const withBurst = (seconds: number): Float32Array =>
      input.map((sample, at) => (Math.abs(at / sampleRate - seconds) < 0.01 ? 0.01 : sample));
    expect(broken(input, withBurst(0.8))).toEqual([expect.stringMatching(/a burst of -4\d\.\d dB/)]);
    expect(broken(input, withBurst(0.54))).toEqual([]);
    expect(compareLevels(speech, speech, sampleRate).burstDb ?? -100).toBeLessThan(BOUNDS.burstDb);
  });
});

test('levels are of full scale, and rooms keep them', () => {
  expect(levelDb(tone(sampleRate, 1000, 1))).toBeCloseTo(-3.01, 1);
  expect(levelDb(whiteNoise(sampleRate, -30, 1))).toBeCloseTo(-30, 0);
  expect(levelDb(new Float32Array(100))).toBe(-120);
  const room = { reverberationSeconds: 0.5, directToReverberantDb: 0, seed: 1 };
  expect(levelDb(inRoom(speech, sampleRate, room))).toBeCloseTo(levelDb(speech), 3);
  // A click: the direct sound, 3 ms of nothing, and a tail that has fallen by 60 dB at its end.
  const click = new Float32Array(sampleRate);
  click[0] = 1;
  const response = inRoom(click, sampleRate, room);
  const part = (from: number, to: number): number =>
    levelDb(response.subarray(from * sampleRate, to * sampleRate));
  expect(levelDb(response.subarray(1, 0.003 * sampleRate))).toBeLessThan(-100);
  expect(part(0.01, 0.03) - part(0.26, 0.28)).toBeCloseTo(30, -1);
  expect(part(0.51, 0.9)).toBeLessThan(-100);
});
