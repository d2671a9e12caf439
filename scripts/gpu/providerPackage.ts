import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { TesseraError } from '../../protocol/index.js';
import { PROVIDER_LIBRARIES, type CudaPackage } from './cudaPlan.js';

const run = promisify(execFile);

/**
 * Fetches a provider's package with npm and puts its libraries into the folder `target`.
 * @throws TesseraError `file_error` when it cannot be fetched, and as {@link installTarball}.
 */
export async function installPackage(provider: CudaPackage, target: string): Promise<void> {
  const { name, version } = provider;
  await inTemporaryFolder(async (folder) => {
    await run('npm', ['pack', `${name}@${version}`, '--pack-destination', folder, '--silent']).catch(
      (error: unknown) => {
        throw new TesseraError('file_error', `npm could not fetch ${name} ${version}: ${String(error)}`);
      },
    );
    const [tarball] = await readdir(folder);
    if (tarball === undefined) throw new TesseraError('file_error', `npm fetched nothing for ${name}`);
    await installTarball(join(folder, tarball), provider, target);
  });
}

/**
 * Puts the libraries of a package's tarball into the folder `target`, in place of those that are there: all of them or
 * none.
 * @throws TesseraError `file_error` when it is not the file that was tested, or lacks a library.
 */
export async function installTarball(
  tarball: string,
  { name, version, integrity, folder }: CudaPackage,
  target: string,
): Promise<void> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(tarball), hash);
  if (`sha512-${hash.digest('base64')}` !== integrity) {
    throw new TesseraError(
      'file_error',
      `${name} ${version} is not the file that was tested; nothing was installed`,
    );
  }
  await inTemporaryFolder(async (work) => {
    const wanted = PROVIDER_LIBRARIES.map((library) => `package/${folder}/${library}`);
    await run('tar', ['-xzf', tarball, '-C', work, ...wanted]).catch((error: unknown) => {
      throw new TesseraError('file_error', `${name} ${version} cannot be unpacked: ${String(error)}`);
    });
    // Beside their places first: a full disk or a power cut leaves no half library where the runtime looks for it.
    const waiting = (library: string): string => join(target, `${library}.part`);
    try {
      for (const library of PROVIDER_LIBRARIES) {
        await copyFile(join(work, 'package', folder, library), waiting(library));
      }
      for (const library of PROVIDER_LIBRARIES) await rename(waiting(library), join(target, library));
    } finally {
      for (const library of PROVIDER_LIBRARIES) await rm(waiting(library), { force: true });
    }
  });
}

async function inTemporaryFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-gpu-'));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
