import {
  choosePacketShape,
  rateBounds,
  wireBitsPerSecond,
  wireBytesOf,
  packetWireBytes,
} from '../../../services/bitrate/index.js';
import { encodeFrame } from '../../../protocol/index.js';
import { CONTROL_SETTINGS as SETTINGS } from '../../support/controlSettings.js';

describe('the cost of a packet', () => {
  test.each([
    { quantizers: 1, framesPerPacket: 1, frameIndex: 0 },
    { quantizers: 6, framesPerPacket: 5, frameIndex: 300 },
    { quantizers: 12, framesPerPacket: 10, frameIndex: 20_000 },
  ])('$quantizers codebooks of $framesPerPacket frames', ({ frameIndex, ...shape }) => {
    const { quantizers, framesPerPacket: frameCount } = shape;
    const codes = new Uint16Array(quantizers * frameCount);
    const frame = encodeFrame(
      { kind: 'tokens', firstFrameIndex: frameIndex, frameCount, quantizers, codes },
      { codebookSize: 1024 },
    );
    const webSocketHeader = frame.length > 125 ? 4 : 2;
    expect(packetWireBytes(shape, SETTINGS, frameIndex)).toBe(52 + webSocketHeader + frame.length);
    expect(wireBytesOf(frame.length)).toBe(52 + webSocketHeader + frame.length);
  });

  test('decides how much sound a packet gathers: long packets on slow links, single frames on fast ones', () => {
    const { least, most } = rateBounds(SETTINGS);
    let last = choosePacketShape(0, SETTINGS, 0).shape;
    expect(last).toEqual({ quantizers: 1, framesPerPacket: 6 });
    for (let rate = least; rate <= 1.1 * most; rate += 100) {
      const { shape, nextBitsPerSecond } = choosePacketShape(rate, SETTINGS, 1000);
      expect(nextBitsPerSecond).toBeGreaterThan(rate);
      expect(wireBitsPerSecond(shape, SETTINGS, 1000)).toBeLessThanOrEqual(rate);
      expect(shape.quantizers).toBeGreaterThanOrEqual(Math.min(last.quantizers, 11));
      last = shape;
    }
    expect(last).toEqual({ quantizers: 12, framesPerPacket: 1 });
  });
});
