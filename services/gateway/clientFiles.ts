import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadManifest, MANIFEST_FILE } from '../../codec/manifest.js';
import { resolveModelDirectory } from '../../codec/models.js';
import { filesOfFolder, type StaticFile } from './staticFiles.js';

/** Where the build puts the client for browsers. */
const CLIENT_FOLDER = fileURLToPath(new URL('../../client/', import.meta.url));

/** Pages of any origin may load these. */
const HEADERS = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' };

/** The files of a model (a name or a folder), for pages that run it themselves, under `/v1/model/`. */
export async function modelFiles(model: string | undefined): Promise<Map<string, StaticFile>> {
  const directory = resolveModelDirectory(model);
  const { encoder, decoder, entropy } = await loadManifest(model);
  const names = [MANIFEST_FILE, encoder.file, decoder.file, ...(entropy ? [entropy.file] : [])];
  return new Map(
    names.map((name) => [
      // As a page resolves it: a graph may lie in a sibling's folder.
      new URL(name, 'file:///v1/model/').pathname,
      { file: join(directory, name), cacheControl: 'no-cache', headers: HEADERS },
    ]),
  );
}

/** The client for browsers, under `/client/`: pages of any origin may load it. */
export function clientFiles(): Promise<Map<string, StaticFile>> {
  return filesOfFolder(CLIENT_FOLDER, '/client/', {
    cacheControl: 'no-cache',
    headers: HEADERS,
  });
}
