import { copyFile, mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The build of the studio page: each script in one file, beside what is served as it is. */
const top = new URL('../../../', import.meta.url);
const target = new URL('dist/studio/public/', top);
const PAGE_FILES = ['index.html', 'studio.css', 'icon.svg'];
/** Recordings that a visitor can hear with one click. */
const SAMPLES = ['speech-en-1.wav', 'speech-ja-1.wav'];

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await Promise.all([
  ...PAGE_FILES.map((name) => copyFile(new URL(`studio/${name}`, top), new URL(name, target))),
  ...SAMPLES.map((name) => copyFile(new URL(`test/fixtures/${name}`, top), new URL(name, target))),
  build({
    entryPoints: {
      main: fileURLToPath(new URL('studio/main.ts', top)),
      studioWorklet: fileURLToPath(new URL('studio/audio/studioWorklet.ts', top)),
    },
    outdir: fileURLToPath(target),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    logLevel: 'warning',
  }),
]);
