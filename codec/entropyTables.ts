import { parseEntropyTables, type EntropyTables } from './entropy/index.js';
import { loadManifest } from './manifest.js';
import { resolveModelDirectory } from './models.js';
import { readVerified } from './runtime/verifiedFile.js';

/**
 * The entropy tables of a model, given by its bundled name or its folder; undefined where it has none, or others than
 * those whose hex SHA-256 is `digest`.
 * @throws TesseraError what `loadManifest` throws, `file_error`, `model_tampered`.
 */
export async function loadEntropyTables(model?: string, digest?: string): Promise<EntropyTables | undefined> {
  const directory = resolveModelDirectory(model);
  const { entropy } = await loadManifest(directory);
  if (entropy === undefined || (digest !== undefined && digest !== entropy.sha256)) return undefined;
  return parseEntropyTables(await readVerified(directory, entropy));
}
