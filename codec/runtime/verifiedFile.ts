import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TesseraError } from '../../protocol/errors.js';

/**
 * A file of a model. The bytes that were checked are the ones that are loaded: a file cannot change in between.
 * @throws TesseraError `file_error` where it is missing, `model_tampered` where it does not have its hash.
 */
export async function readVerified(
  directory: string,
  { file, sha256 }: { readonly file: string; readonly sha256: string },
): Promise<Uint8Array> {
  const path = join(directory, file);
  const bytes = await readFile(path).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TesseraError('file_error', `The model file ${path} cannot be read: ${reason}`, { cause });
  });
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (hash !== sha256) {
    throw new TesseraError(
      'model_tampered',
      `The model file ${path} has the SHA-256 ${hash}, but the manifest says ${sha256}; install the model again`,
    );
  }
  return bytes;
}
