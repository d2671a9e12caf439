import { InputQueue } from '../../../services/engine/inputQueue.js';

const HOP = 4;
const ramp = (from: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, at) => from + at);

describe('InputQueue', () => {
  test('gives whole frames of samples, however they came', () => {
    const queue = new InputQueue(HOP);
    for (let at = 0; at < 21; at += 3) queue.addPcm(ramp(at, 3));
    expect(queue.readyFrames(4)).toBe(4);
    expect(queue.readyFrames(8)).toBe(5);
    expect(queue.take(4)).toEqual({ kind: 'pcm', samples: ramp(0, 16) });
    expect(queue.readyFrames(4)).toBe(1);
    expect(queue.take(1)).toEqual({ kind: 'pcm', samples: ramp(16, 4) });
    expect(queue.readyFrames(4)).toBe(0);
  });

  test('a mark makes the incomplete frame before it due, and comes after it', () => {
    const queue = new InputQueue(HOP);
    queue.addPcm(ramp(0, 6));
    queue.addMark('flush');
    queue.addPcm(ramp(6, 4));
    expect(queue.take(queue.readyFrames(4))).toEqual({ kind: 'pcm', samples: ramp(0, 4) });
    expect(queue.take(queue.readyFrames(4))).toEqual({ kind: 'pcm', samples: ramp(4, 2) });
    expect(queue.take(queue.readyFrames(4))).toEqual({ kind: 'mark', mark: 'flush' });
    expect(queue.take(queue.readyFrames(4))).toEqual({ kind: 'pcm', samples: ramp(6, 4) });
    expect(queue.readyFrames(4)).toBe(0);
  });

  test('cuts blocks of tokens and long gaps into turns', () => {
    const queue = new InputQueue(HOP);
    const codes = Uint16Array.of(1, 2, 3, 11, 12, 13);
    queue.addTokens({ firstFrameIndex: 7, frameCount: 3, quantizers: 2, codes });
    queue.addSkip(5);
    expect(queue.readyFrames(2)).toBe(2);
    expect(queue.take(2)).toEqual({
      kind: 'tokens',
      block: { firstFrameIndex: 7, frameCount: 2, quantizers: 2, codes: Uint16Array.of(1, 2, 11, 12) },
    });
    expect(queue.take(queue.readyFrames(2))).toEqual({
      kind: 'tokens',
      block: { firstFrameIndex: 9, frameCount: 1, quantizers: 2, codes: Uint16Array.of(3, 13) },
    });
    expect(queue.take(queue.readyFrames(4))).toEqual({ kind: 'skip', frameCount: 4 });
    expect(queue.take(queue.readyFrames(4))).toEqual({ kind: 'skip', frameCount: 1 });
    expect(queue.readyFrames(4)).toBe(0);
    expect(() => queue.take(1)).toThrow(RangeError);
  });

  test('clear drops everything', () => {
    const queue = new InputQueue(HOP);
    queue.addPcm(ramp(0, 100));
    queue.clear();
    expect(queue.readyFrames(4)).toBe(0);
  });
});
