import { pitchErrors, readAudio, trackPitch } from '../../codec/index.js';

const RATE = 16_000;

/** Harmonics at 1/n, as a glottis makes them; `hzAt` in seconds. */
function voice(seconds: number, hzAt: (time: number) => number, harmonics = 10): Float64Array {
  let phase = 0;
  return Float64Array.from({ length: seconds * RATE }, (_, at) => {
    phase += (2 * Math.PI * hzAt(at / RATE)) / RATE;
    let sum = 0;
    for (let n = 1; n <= harmonics; n += 1) sum += Math.sin(n * phase) / n;
    return 0.2 * sum;
  });
}

function noise(length: number, level: number): Float64Array {
  let seed = 7;
  return Float64Array.from({ length }, () => {
    seed = (Math.imul(1664525, seed) + 1013904223) >>> 0;
    return level * (seed / 2 ** 31 - 1);
  });
}

describe('trackPitch', () => {
  test.each([70, 110.5, 220, 333, 450])('finds %d Hz to a third of a percent', (hz) => {
    const track = trackPitch(
      voice(0.5, () => hz),
      RATE,
    );
    expect(track.length).toBeGreaterThan(40);
    for (const found of track) expect(Math.abs(found / hz - 1)).toBeLessThan(0.0034);
  });

  test('finds the fundamental where only higher harmonics are there, as on a telephone', () => {
    const full = voice(0.5, () => 120);
    const fundamental = voice(0.5, () => 120, 1);
    const track = trackPitch(
      full.map((sample, at) => sample - (fundamental[at] ?? 0)),
      RATE,
    );
    for (const found of track) expect(Math.abs(found / 120 - 1)).toBeLessThan(0.005);
  });

  test('calls noise, silence and faint sounds unvoiced', () => {
    expect([...trackPitch(noise(RATE / 2, 0.3), RATE)].filter((hz) => hz > 0)).toHaveLength(0);
    expect([...trackPitch(new Float64Array(RATE / 2), RATE)].filter((hz) => hz > 0)).toHaveLength(0);
    const loudThenFaint = voice(1, () => 150).map((sample, at) => (at < RATE / 2 ? sample : sample / 200));
    expect(
      trackPitch(loudThenFaint, RATE)
        .subarray(55)
        .every((hz) => hz === 0),
    ).toBe(true);
  });

  test('finds a voice in real speech: most frames of it in its range, without jumps of octaves', async () => {
    const track = trackPitch(await readAudio('test/fixtures/speech-en-1.wav', { sampleRate: RATE }), RATE);
    const voiced = track.filter((hz) => hz > 0).sort();
    const median = voiced[voiced.length >> 1] ?? 0;
    expect(voiced.length / track.length).toBeGreaterThan(0.3);
    expect(voiced.length / track.length).toBeLessThan(0.8);
    expect(median).toBeGreaterThan(80);
    expect(median).toBeLessThan(300);
    expect(
      voiced.filter((hz) => Math.abs(Math.log2(hz / median)) < 0.7).length / voiced.length,
    ).toBeGreaterThan(0.9);
  });
});

describe('pitchErrors', () => {
  test('measures a voice that is a quarter tone too high, and one that breaks off', () => {
    const glide = (time: number): number => 120 + 40 * time;
    const reference = voice(1, glide);
    const sharp = voice(1, (time) => glide(time) * 2 ** (50 / 1200));
    expect(pitchErrors(reference, sharp, RATE).pitchErrorCents).toBeCloseTo(50, 0);
    expect(pitchErrors(reference, reference, RATE)).toEqual({ pitchErrorCents: 0, voicingError: 0 });
    const broken = sharp.map((sample, at) => (at < RATE / 2 ? sample : 0));
    expect(pitchErrors(reference, broken, RATE).voicingError).toBeCloseTo(0.5, 1);
    expect(pitchErrors(reference, broken, RATE).pitchErrorCents).toBeCloseTo(50, 0);
  });

  test('counts an octave where nothing can be compared', () => {
    const voiced = voice(0.5, () => 120);
    const { pitchErrorCents, voicingError } = pitchErrors(voiced, noise(voiced.length, 0.3), RATE);
    expect(pitchErrorCents).toBe(1200);
    expect(voicingError).toBe(1);
  });
});
