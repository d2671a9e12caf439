import { fileURLToPath } from 'node:url';
import { filesOfFolder, type StaticFile } from './staticFiles.js';

/** Where the build puts the page. */
const PAGE_FOLDER = fileURLToPath(new URL('../../studio/public/', import.meta.url));

/**
 * Nothing from elsewhere, no inline scripts or styles. `blob:` is for the worklets and workers that the client makes of its
 * own text, `wasm-unsafe-eval` for the decoder in the browser.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' blob: 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "style-src 'self'",
  "img-src 'self'",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ');

/** The files of the studio by the paths of their URLs: the page at `/`, what it needs under `/studio/`. */
export async function studioFiles(): Promise<Map<string, StaticFile>> {
  const files = await filesOfFolder(PAGE_FOLDER, '/studio/', {
    // Names stay the same over versions: the browser asks whether it has the newest.
    cacheControl: 'no-cache',
    headers: {
      'Content-Security-Policy': CONTENT_SECURITY_POLICY,
      'Permissions-Policy': 'microphone=(self), camera=(), geolocation=()',
      'Referrer-Policy': 'no-referrer',
    },
  });
  const page = files.get('/studio/index.html');
  files.delete('/studio/index.html');
  if (page) files.set('/', page);
  return files;
}
