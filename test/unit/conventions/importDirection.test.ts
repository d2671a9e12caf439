import { ESLint } from 'eslint';
import { posix } from 'node:path';
import { repositoryPath, SOURCE_FOLDERS, sourceFiles } from '../../support/sourceFiles.js';

const DIRECTION_RULE = 'import-x/no-restricted-paths';
const RULES = new Set([DIRECTION_RULE, 'import-x/no-cycle', 'no-restricted-imports', 'no-undef']);

/** The repository's own rules, those about imports alone: they need no types, so the linted file need not exist. */
const eslint = new ESLint({
  cwd: repositoryPath,
  ruleFilter: ({ ruleId }) => RULES.has(ruleId),
  overrideConfig: { languageOptions: { parserOptions: { projectService: false } } },
});

/** The ids of the rules that `code` breaks as the file at `path`, each once. */
async function brokenRules(path: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: repositoryPath + path });
  return [...new Set(result!.messages.map((message) => message.ruleId ?? message.message))];
}

/** The statements by which a file in `folder` would take from the file at `target`. */
function imports(folder: string, target: string): string[] {
  const specifier = `./${posix.relative(folder, target)}`.replace(/\.ts$/, '.js');
  return [
    `import '${specifier}';`,
    `import type { Anything } from '${specifier}';`,
    `export * from '${specifier}';`,
    `await import('${specifier}');`,
  ];
}

const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: ['protocol'],
  codec: ['codec', 'protocol'],
  'codec/entropy': ['protocol'],
  services: ['services', 'codec', 'protocol'],
  sdk: ['sdk', 'protocol'],
  scripts: ['scripts', 'services', 'sdk', 'codec', 'protocol'],
  test: SOURCE_FOLDERS,
};

/** A file of each folder that has one. */
const targets = SOURCE_FOLDERS.flatMap((folder) => {
  const [path] = sourceFiles(folder).filter((file) => !file.startsWith('codec/entropy/'));
  return path === undefined ? [] : [{ folder, path }];
});

describe.each(Object.entries(MAY_IMPORT))('%s', (folder, allowed) => {
  test.each(targets)('and $folder', async (target) => {
    const expected = allowed.includes(target.folder) ? [] : [DIRECTION_RULE];
    for (const statement of imports(folder, target.path)) {
      expect({ statement, rules: await brokenRules(`${folder}/example.ts`, statement) }).toEqual({
        statement,
        rules: expected,
      });
    }
  });
});

test('the engine knows nothing of the gateway', async () => {
  for (const statement of imports('services/engine', 'services/gateway/limits.ts')) {
    expect(await brokenRules('services/engine/example.ts', statement)).toEqual([DIRECTION_RULE]);
  }
});

test.each(['protocol', 'codec/entropy'])(
  '%s takes nothing from Node, browsers or packages',
  async (folder) => {
    const file = `${folder}/example.ts`;
    expect(await brokenRules(file, `import 'node:fs';`)).toEqual(['no-restricted-imports']);
    expect(await brokenRules(file, `import 'ws';`)).toEqual(['no-restricted-imports']);
    expect(await brokenRules(file, `import 'zod';`)).toEqual(['no-restricted-imports']);
    expect(await brokenRules(file, `Buffer.alloc(1);`)).toEqual(['no-undef']);
    expect(await brokenRules(file, `document.title;`)).toEqual(['no-undef']);
    expect(await brokenRules(file, `import { z } from 'zod/mini'; new TextEncoder();`)).toEqual([]);
  },
);
