import { codeColours, oklch, ramp } from '../../../studio/views/colour.js';
import { Strip } from '../../../studio/views/strip.js';
import { RateMeter } from '../../../studio/rateMeter.js';

test('a strip keeps the newest columns, and knows which are gone', () => {
  const strip = new Strip(3, 2);
  for (let index = 0; index < 5; index += 1) strip.put(index, [index, 10 + index]);
  expect(strip.end).toBe(5);
  expect([1, 2, 3, 4, 5].map((index) => strip.at(index, 1))).toEqual([-1, 12, 13, 14, -1]);
});

test('rows that a column lacks are empty, and an old column does not take the place of a newer one', () => {
  const strip = new Strip(3, 2);
  strip.put(4, [7]);
  strip.put(1, [9, 9]);
  expect([strip.at(4, 0), strip.at(4, 1), strip.at(1, 0), strip.at(-2, 0)]).toEqual([7, -1, -1, -1]);
});

test('OKLCH: black, white and the primaries of sRGB', () => {
  expect(oklch(0, 0, 0)).toEqual([0, 0, 0]);
  expect(oklch(1, 0, 0)).toEqual([255, 255, 255]);
  expect(oklch(0.628, 0.2577, 29.23)).toEqual([255, 0, 0]);
});

test('a ramp goes through its stops', () => {
  const colours = ramp([
    [0, 0, 0],
    [100, 50, 0],
    [255, 255, 255],
  ]);
  expect(colours).toHaveLength(256);
  expect([colours[0], colours[255]]).toEqual([
    [0, 0, 0],
    [255, 255, 255],
  ]);
  expect(colours[127]![0]).toBeGreaterThan(97);
});

test('codes have different colours', () => {
  const colours = codeColours(1024, 0.66, 0.1).map((colour) => colour.join());
  expect(new Set(colours).size).toBeGreaterThan(500);
});

test('a rate is that of the last two seconds', () => {
  const meter = new RateMeter();
  const rates = [0, 1000, 2000, 3000, 4000, 5000].map((ms) => meter.at(ms, ms <= 2000 ? ms : 2000));
  expect(rates[2]).toBe(8000);
  expect(rates.at(-1)).toBe(0);
});
