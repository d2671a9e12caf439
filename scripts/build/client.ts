import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The build of the browser's client: one ES module, the worklets
 * once more for pages that serve them themselves, and what decodes in the page: a worker, and onnxruntime for it. */
const compiled = new URL('../../sdk/', import.meta.url);
const target = fileURLToPath(new URL('../../client/', import.meta.url));
const shared = { bundle: true, format: 'esm', target: 'es2022', minify: true, logLevel: 'warning' } as const;

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const worklets = `${target}worklets.js`;
await build({
  ...shared,
  entryPoints: [fileURLToPath(new URL('worklets/worklets.js', compiled))],
  outfile: worklets,
});
const module = `${target}tessera.js`;
await build({
  ...shared,
  entryPoints: [fileURLToPath(new URL('index.js', compiled))],
  outfile: module,
  define: { TESSERA_WORKLETS: JSON.stringify(await readFile(worklets, 'utf8')) },
});
await build({
  ...shared,
  entryPoints: [fileURLToPath(new URL('local/worker.js', compiled))],
  outfile: `${target}worker.js`,
});
const runtime = 'ort-wasm-simd-threaded.wasm';
await copyFile(fileURLToPath(import.meta.resolve(`onnxruntime-web/${runtime}`)), `${target}${runtime}`);
await writeFile(`${target}tessera.d.ts`, `export * from '../sdk/index.js';\n`);
