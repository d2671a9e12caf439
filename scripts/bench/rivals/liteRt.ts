import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import { loadAndCompile, loadLiteRt, type CompiledModel } from '@litertjs/core';

const require = createRequire(import.meta.url);

/** The build of the runtime that needs no relaxed SIMD, which Node 20 lacks. */
const RUNTIME_SCRIPT = join(
  dirname(require.resolve('@litertjs/core')),
  '../wasm/litert_wasm_compat_internal.js',
);

let loading: Promise<unknown> | undefined;

/**
 * Compiles a LiteRT (TFLite) model for one thread of the CPU. Its variables begin afresh; `delete()` frees it.
 * @throws Error where the file is missing or no such model.
 */
export async function compileLiteRt(path: string): Promise<CompiledModel> {
  await (loading ??= loadRuntime());
  return loadAndCompile(new Uint8Array(await readFile(path)), { accelerator: 'wasm' });
}

/**
 * The package is made for browsers. In Node its script for the WASM has to be run by hand, with what scripts of CommonJS
 * have, and its factory put where a browser's worker would leave it.
 */
async function loadRuntime(): Promise<void> {
  const source = `${readFileSync(RUNTIME_SCRIPT, 'utf8')}\nreturn ModuleFactory;`;
  const parameters = ['require', '__dirname', '__filename'];
  const run = compileFunction(source, parameters, { filename: RUNTIME_SCRIPT }) as (
    ...values: readonly unknown[]
  ) => (options: object) => unknown;
  const factory = run(require, dirname(RUNTIME_SCRIPT), RUNTIME_SCRIPT);
  const quiet = { print: () => undefined, printErr: () => undefined };
  const browser = {
    self: globalThis,
    importScripts: () => {
      Object.assign(globalThis, { ModuleFactory: (options?: object) => factory({ ...options, ...quiet }) });
    },
  };
  const before = new Map(
    Object.keys(browser).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]),
  );
  const { warn } = console;
  // It reports the lack of a GPU, which it was not asked for.
  console.warn = () => undefined;
  Object.assign(globalThis, browser);
  try {
    await loadLiteRt(RUNTIME_SCRIPT);
  } finally {
    console.warn = warn;
    for (const [name, descriptor] of before) {
      Reflect.deleteProperty(globalThis, name);
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    }
  }
}
