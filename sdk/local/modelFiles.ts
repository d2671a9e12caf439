import { TesseraError } from '../../protocol/errors.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import { browser } from '../platform.js';
import type { DecoderGraph } from './workerMessages.js';

/** How much of a model has come, in bytes. */
export interface DownloadProgress {
  readonly receivedBytes: number;
  /** Undefined where the server does not say. */
  readonly totalBytes: number | undefined;
}

interface Manifest extends Pick<ModelSummary, 'name' | 'version' | 'hop' | 'quantizers'> {
  readonly decoder: {
    readonly file: string;
    readonly sha256: string;
    readonly states: DecoderGraph['states'];
  };
}

/** Of the Cache API; files are kept by their hash, so an old one is never taken for a new. */
const CACHE = 'tessera-models';

/**
 * Gets the decoder of the model that is served at `baseUrl`: from the browser's cache, else from there.
 * @throws TesseraError `connection_failed`, `model_mismatch` (the server's sessions run another), `model_tampered`
 */
export async function fetchDecoder(
  baseUrl: string,
  model: ModelSummary,
  onProgress: (progress: DownloadProgress) => void,
): Promise<{ readonly graph: DecoderGraph; readonly bytes: ArrayBuffer }> {
  const manifest = (await (await get(`${baseUrl}manifest.json`)).json()) as Manifest;
  if (manifest.name !== model.name || manifest.version !== model.version) {
    throw new TesseraError(
      'model_mismatch',
      `${baseUrl} has ${manifest.name} ${manifest.version}, not the session's model`,
    );
  }
  const { file, sha256, states } = manifest.decoder;
  const url = `${baseUrl}${file}?sha256=${sha256}`;
  const cache = await browser.caches?.open(CACHE).catch(() => undefined);
  const kept = await cache?.match(url);
  let bytes = await kept?.arrayBuffer();
  if (bytes === undefined || (await hexSha256(bytes)) !== sha256) {
    bytes = await download(await get(url), onProgress);
    const hash = await hexSha256(bytes);
    if (hash !== sha256) {
      throw new TesseraError(
        'model_tampered',
        `${url} has the SHA-256 ${hash}: it is not the file that the manifest names`,
      );
    }
    // A full disk is no reason not to play.
    if (browser.Response) await cache?.put(url, new browser.Response(bytes)).catch(() => undefined);
  }
  return { graph: { hop: manifest.hop, quantizers: manifest.quantizers, states }, bytes };
}

async function get(url: string): Promise<Response> {
  const response = await fetch(url).catch((cause: unknown) => {
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
