import { readFileSync } from 'node:fs';
import { fixtureUrl } from '../support/wavFixture.js';

const [header, ...lines] = readFileSync(
  new URL('../../../codec/training/heldout.tsv', import.meta.url),
  'utf8',
)
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t'));
const rows = lines.map((cells) => Object.fromEntries(header!.map((name, column) => [name, cells[column]!])));

test('test and validation hold out 32 speakers each, none of them in both', () => {
  for (const set of ['test', 'validation']) {
    const chosen = rows.filter((row) => row['set'] === set);
    expect(chosen).toHaveLength(32);
    expect(new Set(chosen.map((row) => row['language'])).size).toBeGreaterThanOrEqual(20);
    for (const row of chosen) {
      expect(Number(row['seconds'])).toBeGreaterThanOrEqual(2.5);
      expect(Number(row['seconds'])).toBeLessThanOrEqual(9);
    }
  }
  expect(new Set(rows.map((row) => `${row['source']}/${row['speaker']}`)).size).toBe(64);
});

test('every fixture recording is of a speaker of the test set', () => {
  const readme = readFileSync(fixtureUrl('README.md'), 'utf8');
  const sources = [...readme.matchAll(/`(commonvoice[^`]*\.opus)`/g)].map((match) => match[1]);
  const testPaths = rows.filter((row) => row['set'] === 'test').map((row) => row['path']);
  expect(sources).toHaveLength(6);
  expect(testPaths).toEqual(expect.arrayContaining(sources));
});
