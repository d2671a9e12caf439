import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** Who may import whom: each folder, and what it may take from besides itself. `test` may take from all. */
const IMPORT_DIRECTION = {
  protocol: [],
  codec: ['protocol'],
  'codec/entropy': ['protocol'],
  services: ['codec', 'protocol'],
  'services/engine': ['codec', 'protocol'],
  'services/bitrate': ['protocol'],
  scripts: ['services', 'sdk', 'codec', 'protocol'],
  sdk: ['protocol', 'codec/entropy'],
  // The page shares the transform of the scores, which needs nothing of Node.
  studio: ['sdk', 'protocol', 'codec/quality/fft.ts'],
};

const importZones = Object.entries(IMPORT_DIRECTION).map(([folder, allowed]) => ({
  target: `./${folder}`,
  from: '.',
  except: [folder, ...allowed, 'node_modules'].map((path) => `./${path}`),
  message: `${folder} may import from ${allowed.join(', ') || 'no other folder'}: see ARCHITECTURE.md.`,
}));

/** `protocol` and `codec/entropy` run in Node, browsers and anything else that has ECMAScript and these. */
const PORTABLE_GLOBALS = { TextEncoder: 'readonly', TextDecoder: 'readonly' };

export default defineConfig(
  { ignores: ['dist/', 'coverage/', '.*/', 'codec/training/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      // Imports name the compiled file (`./frames.js`); what lies there is the source (`./frames.ts`).
      'import-x/resolver-next': [
        createNodeResolver({ extensions: ['.ts', '.js'], extensionAlias: { '.js': ['.ts', '.js'] } }),
      ],
    },
    rules: {
      eqeqeq: 'error',
      'max-lines': ['error', { max: 400 }],
      'no-restricted-syntax': [
        'error',
        {
          selector:
            ':matches(PropertyDefinition, MethodDefinition[kind!="constructor"], TSParameterProperty)[accessibility="private"]',
          message: 'Use a #private name: it is private at run time too.',
        },
      ],
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: importZones }],
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false },
      ],

      // Under noUncheckedIndexedAccess every read of a typed array in a counted loop needs the assertion.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Numbers belong in error messages as they are.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `socket.on('close', () => this.#end())` is clear without braces.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['protocol/**/*.ts', 'codec/**/*.ts', 'services/**/*.ts', 'sdk/**/*.ts', 'studio/**/*.ts'],
    // A library is silent and a service logs through pino; only the command line prints.
    rules: { 'no-console': 'error' },
  },
  {
    files: ['protocol/**/*.ts', 'codec/entropy/**/*.ts'],
    languageOptions: { globals: PORTABLE_GLOBALS },
    rules: {
      'no-undef': 'error',
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!\\.{1,2}/|zod/mini$)',
              message: 'Portable code takes nothing from Node and no package but zod/mini.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['examples/*.{js,mjs}'],
    languageOptions: { globals: { console: 'readonly', process: 'readonly' } },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // One file per theme, with its cases side by side, reads better than parts cut by length.
      'max-lines': 'off',
      // jest types its matchers (`expect.objectContaining(…)`) as `any`.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      // A stand-in is asynchronous because what it stands for is.
      '@typescript-eslint/require-await': 'off',
    },
  },
);
