import { TesseraError } from '../../protocol/errors.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import { browser } from '../platform.js';
import type { CodecGraph } from './workerMessages.js';

/** How much of a model has come, in bytes. */
export interface DownloadProgress {
  readonly receivedBytes: number;
  /** Undefined where the server does not say. */
  readonly totalBytes: number | undefined;
}

/** A file of a model, as its manifest names it. */
export interface ModelFile {
  /** Relative to the manifest. */
  readonly file: string;
  /** Hex. */
  readonly sha256: string;
}

/** What of a model's manifest is used here. */
export interface ModelManifest extends Pick<ModelSummary, 'name' | 'version' | 'hop' | 'quantizers'> {
  readonly encoder: ModelFile & Pick<CodecGraph, 'states'>;
  readonly decoder: ModelFile & Pick<CodecGraph, 'states'>;
  /** Entropy tables, where the model has them. */
  readonly entropy?: ModelFile;
}

/** Of the Cache API; files are kept by their hash, so an old one is never taken for a new. */
const CACHE = 'tessera-models';

/** Where a server at `streamUrl` (`wss://…/v1/stream`) has its model's files. */
export function modelUrlOf(streamUrl: string): string {
  return new URL('/v1/model/', streamUrl.replace(/^ws/, 'http')).href;
}

/** The manifest of the model at `baseUrl`. @throws TesseraError `connection_failed` */
export async function fetchManifest(baseUrl: string): Promise<ModelManifest> {
  return (await (await get(`${baseUrl}manifest.json`)).json()) as ModelManifest;
}

/** @throws TesseraError `model_mismatch` where the server's sessions run another model than that at `baseUrl`. */
export function requireModel(manifest: ModelManifest, model: ModelSummary, baseUrl: string): void {
  if (manifest.name === model.name && manifest.version === model.version) return;
  throw new TesseraError(
    'model_mismatch',
    `${baseUrl} has ${manifest.name} ${manifest.version}, not the session's model`,
  );
}

/**
 * Gets a file of the model at `baseUrl`: from the browser's cache, else from there.
 * @throws TesseraError `connection_failed`, `model_tampered`
 */
export async function fetchModelFile(
  baseUrl: string,
  { file, sha256 }: ModelFile,
  onProgress: (progress: DownloadProgress) => void,
): Promise<ArrayBuffer> {
  const url = `${baseUrl}${file}?sha256=${sha256}`;
  const cache = await browser.caches?.open(CACHE).catch(() => undefined);
  const kept = await (await cache?.match(url))?.arrayBuffer();
  if (kept !== undefined && (await hexSha256(kept)) === sha256) return kept;
  const bytes = await download(await get(url), onProgress);
  const hash = await hexSha256(bytes);
  if (hash !== sha256) {
    throw new TesseraError(
      'model_tampered',
      `${url} has the SHA-256 ${hash}: it is not the file that the manifest names`,
    );
  }
  // A full disk is no reason not to play.
  if (browser.Response) await cache?.put(url, new browser.Response(bytes)).catch(() => undefined);
  return bytes;
}

async function get(url: string): Promise<Response> {
  // A connection that was kept may be dead by now: the second attempt makes another.
  const attempt = fetch(url).catch(() => fetch(url));
  const response = await attempt.catch((cause: unknown) => {
    throw new TesseraError('connection_failed', `${url} cannot be reached`, { cause });
  });
  if (!response.ok) throw new TesseraError('connection_failed', `${url}: HTTP status ${response.status}`);
  return response;
}

async function download(
  response: Response,
  onProgress: (progress: DownloadProgress) => void,
): Promise<ArrayBuffer> {
  const length = Number(response.headers.get('content-length'));
  const totalBytes = length > 0 ? length : undefined;
  const parts: Uint8Array[] = [];
  let receivedBytes = 0;
  const reader = response.body!.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const part = read.value as Uint8Array;
    parts.push(part);
    receivedBytes += part.length;
    onProgress({ receivedBytes, totalBytes });
  }
  const bytes = new Uint8Array(receivedBytes);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes.buffer;
}

async function hexSha256(bytes: ArrayBuffer): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
