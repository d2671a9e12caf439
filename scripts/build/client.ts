import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The build of the browser's client: one ES module, and the worklets once more for pages that serve them themselves. */
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
await writeFile(`${target}tessera.d.ts`, `export * from '../sdk/index.js';\n`);
