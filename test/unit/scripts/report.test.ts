import { TesseraError } from '../../../protocol/index.js';
import { describeError, exitCodeOf } from '../../../scripts/cli/report.js';
import { TokenStatistics } from '../../../scripts/cli/tokenStatistics.js';

describe('describeError', () => {
  test('gives one line with the file, once, and the code', () => {
    const error = new TesseraError('bad_audio', 'It is\n  damaged.');
    expect(describeError(error)).toBe('It is damaged [bad_audio]');
    expect(describeError(error, 'a.wav')).toBe('a.wav: It is damaged [bad_audio]');
    expect(describeError(new TesseraError('file_error', 'a.wav: gone'), 'a.wav')).toBe(
      'a.wav: gone [file_error]',
    );
    expect(describeError('text', 'a.wav')).toBe('a.wav: text [internal]');
  });

  test('tells wrong usage from failure by the exit code', () => {
    expect(exitCodeOf(new TesseraError('usage', ''))).toBe(2);
    expect(exitCodeOf(new TesseraError('bad_options', ''))).toBe(2);
    expect(exitCodeOf(new TesseraError('file_error', ''))).toBe(1);
    expect(exitCodeOf(new Error('bug'))).toBe(1);
  });
});

describe('TokenStatistics', () => {
  test('measures entropy, over blocks of differing numbers of codebooks', () => {
    const statistics = new TokenStatistics();
    statistics.add({
      firstFrameIndex: 0,
      frameCount: 4,
      quantizers: 2,
      codes: Uint16Array.of(1, 2, 3, 4, 9, 9, 9, 9),
    });
    statistics.add({ firstFrameIndex: 4, frameCount: 2, quantizers: 1, codes: Uint16Array.of(1, 1) });
    expect(statistics.codes).toBe(10);
    const [first, second] = statistics.codebooks();
    expect(first).toMatchObject({ frames: 6, codesUsed: 4 });
    expect(first?.entropyBits).toBeCloseTo(0.5 * Math.log2(2) + 3 * (1 / 6) * Math.log2(6), 12);
    expect(second).toEqual({ frames: 4, codesUsed: 1, entropyBits: 0 });
  });
});
