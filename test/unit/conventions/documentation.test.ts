import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryPath, SOURCE_FOLDERS, sourceFiles } from '../../support/sourceFiles.js';
import { undocumentedExports } from '../../support/undocumentedExports.js';

test('every export has a comment that says what it is', () => {
  const paths = SOURCE_FOLDERS.flatMap(sourceFiles).map((path) => repositoryPath + path);
  expect(paths.length).toBeGreaterThan(20);
  expect(undocumentedExports(paths, repositoryPath)).toEqual([]);
});

test('an export without one is found', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tessera-documentation-'));
  try {
    const path = join(directory, 'example.ts');
    writeFileSync(
      path,
      `/** Told. */
export interface Told {
  /** Told. */
  told(): void;
}
export class Untold implements Told {
  #hidden = 1;
  constructor() {}
  told() {}
  untold() { return this.#hidden; }
  get size() { return 0; }
}
// Not a TSDoc comment.
export const value = 1;
const inner = 2;
export { inner };
export type Alias = string;
/** Told. */
export function told() {}
`,
    );
    expect(undocumentedExports([path], directory)).toEqual([
      'example.ts:6 Untold',
      'example.ts:10 Untold.untold',
      'example.ts:14 value',
      'example.ts:15 inner',
      'example.ts:17 Alias',
    ]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
