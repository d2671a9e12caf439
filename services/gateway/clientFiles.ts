import { fileURLToPath } from 'node:url';
import { filesOfFolder, type StaticFile } from './staticFiles.js';

/** Where the build puts the client for browsers. */
const CLIENT_FOLDER = fileURLToPath(new URL('../../client/', import.meta.url));

/** The client for browsers, under `/client/`: pages of any origin may load it. */
export function clientFiles(): Promise<Map<string, StaticFile>> {
  return filesOfFolder(CLIENT_FOLDER, '/client/', {
    cacheControl: 'no-cache',
    headers: { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' },
  });
}
