import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLED_MODELS, loadManifest, resolveModelDirectory } from '../../../codec/index.js';

describe('a model is named by', () => {
  test.each(BUNDLED_MODELS)('its bundled name: %s lies in the package', async (name) => {
    expect(await loadManifest(name)).toMatchObject({ contract: 1, sampleRate: 24_000 });
  });

  test('nothing, and the default is meant', () => {
    expect(resolveModelDirectory()).toBe(resolveModelDirectory('default'));
  });

  test('a path, whether it exists or not', () => {
    expect(resolveModelDirectory('/nowhere/model')).toBe('/nowhere/model');
    expect(resolveModelDirectory('./default')).toBe('./default');
  });

  test('a folder of the working directory, unless a bundled model has its name', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tessera-models-'));
    const before = process.cwd();
    try {
      for (const name of ['mine', 'default']) mkdirSync(join(directory, name));
      process.chdir(directory);
      expect(resolveModelDirectory('mine')).toBe('mine');
      expect(resolveModelDirectory('default')).not.toBe('default');
    } finally {
      process.chdir(before);
      rmSync(directory, { recursive: true });
    }
  });

  test('nothing else: the refusal lists the names there are', () => {
    expect(() => resolveModelDirectory('defualt')).toThrow(
      expect.objectContaining({
        code: 'unknown_model',
        message: expect.stringMatching(/"defualt".*default/) as string,
      }) as Error,
    );
  });
});
