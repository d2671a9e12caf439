import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CUDA_PACKAGES, PROVIDER_LIBRARIES, type CudaPackage } from '../../../scripts/gpu/cudaPlan.js';
import { installTarball } from '../../../scripts/gpu/providerPackage.js';

const [SHARED, CUDA] = PROVIDER_LIBRARIES;
let folder: string;
let target: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-test-'));
  target = join(folder, 'bin');
  mkdirSync(target);
  writeFileSync(join(target, SHARED), 'an older one');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** A package as npm packs it, with these libraries, and how it would be described. */
function pack(libraries: readonly string[]): { tarball: string; described: CudaPackage } {
  const described = CUDA_PACKAGES[0]!;
  const place = join(folder, 'package', described.folder);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'README'), 'not wanted');
  for (const library of libraries) writeFileSync(join(place, library), `new ${library}`);
  const tarball = join(folder, 'package.tgz');
  execFileSync('tar', ['-czf', tarball, '-C', folder, 'package']);
  const hash = createHash('sha512').update(readFileSync(tarball)).digest('base64');
  return { tarball, described: { ...described, integrity: `sha512-${hash}` } };
}

function installed(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(target).map((name) => [name, readFileSync(join(target, name), 'utf8')]),
  );
}

test('puts the libraries, and nothing else, in place of those that are there', async () => {
  const { tarball, described } = pack(PROVIDER_LIBRARIES);
  await installTarball(tarball, described, target);
  expect(installed()).toEqual({ [SHARED]: `new ${SHARED}`, [CUDA]: `new ${CUDA}` });
});

test('a file that is not the one that was tested is refused before anything is written', async () => {
  const { tarball, described } = pack(PROVIDER_LIBRARIES);
  writeFileSync(tarball, readFileSync(tarball).subarray(0, -1));
  await expect(installTarball(tarball, described, target)).rejects.toMatchObject({ code: 'file_error' });
  expect(installed()).toEqual({ [SHARED]: 'an older one' });
});

test('a package that lacks a library changes nothing', async () => {
  const { tarball, described } = pack([SHARED]);
  await expect(installTarball(tarball, described, target)).rejects.toMatchObject({ code: 'file_error' });
  expect(installed()).toEqual({ [SHARED]: 'an older one' });
});

test('where the folder cannot be written the reason is told, and no half library is left', async () => {
  const { tarball, described } = pack(PROVIDER_LIBRARIES);
  rmSync(join(target, SHARED));
  mkdirSync(join(target, `${CUDA}.part`));
  await expect(installTarball(tarball, described, target)).rejects.toThrow();
  expect(readdirSync(target)).not.toContain(SHARED);
});
