import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The build of the browser's client: one ES module, the worklets
 * once more for pages that serve them themselves, and what decodes in the page: a worker, what it adds where there is WebGPU,
 * and onnxruntime for both. */
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
for (const script of ['worker.js', 'webgpu.js']) {
  await build({
    ...shared,
    entryPoints: [fileURLToPath(new URL(`local/${script}`, compiled))],
    outfile: `${target}${script}`,
    // The worker fetches it where there is a GPU.
    external: ['./webgpu.js'],
  });
}
for (const runtime of ['ort-wasm-simd-threaded.wasm', 'ort-wasm-simd-threaded.jspi.wasm']) {
  await copyFile(fileURLToPath(import.meta.resolve(`onnxruntime-web/${runtime}`)), `${target}${runtime}`);
}
await writeFile(`${target}tessera.d.ts`, `export * from '../sdk/index.js';\n`);
