import { readFileSync } from 'node:fs';
import { oggPacketBytes, oggPayloadBytes } from '../../../scripts/bench/rivals/ogg.js';
import { fixtureUrl } from '../../support/wavFixture.js';

/** A page with the given lacing values and as many bytes as they say. */
function page(...lacing: number[]): number[] {
  const size = lacing.reduce((sum, length) => sum + length, 0);
  return [
    ...Buffer.from('OggS'),
    ...new Array<number>(22).fill(0),
    lacing.length,
    ...lacing,
    ...new Array<number>(size).fill(7),
  ];
}

describe('the payload of an Ogg stream', () => {
  test('is that of its packets behind the two of headers, over page borders', () => {
    const file = Uint8Array.from([...page(19), ...page(255, 3), ...page(10, 255), ...page(255, 0, 20)]);
    expect(oggPacketBytes(file)).toEqual([10, 255 + 255 + 0, 20]);
    expect(oggPayloadBytes(file)).toBe(10 + 255 + 255 + 0 + 20);
  });

  test('of a real recording leaves out pages and headers', () => {
    const file = new Uint8Array(readFileSync(fixtureUrl('speech-en-1.opus')));
    const payload = oggPayloadBytes(file);
    expect(payload).toBeLessThan(file.length - 100);
    expect(payload).toBeGreaterThan(0.9 * file.length);
  });

  test('needs pages', () => {
    expect(() => oggPayloadBytes(Uint8Array.of(1, 2, 3))).toThrow('No Ogg page');
  });
});
