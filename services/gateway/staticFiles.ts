import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** A file that is served as it is. */
export interface StaticFile {
  /** On this machine. */
  readonly file: string;
  /** As `Cache-Control`: `no-cache` has the browser ask each time, and get 304 while nothing has changed. */
  readonly cacheControl: string;
  /** Header fields besides those of every file. */
  readonly headers?: Readonly<Record<string, string>>;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wav': 'audio/wav',
  '.wasm': 'application/wasm',
};

interface Version {
  readonly modifiedMs: number;
  readonly bytes: number;
  readonly etag: string;
}

/** Files by the path of their URL: only what is named can be read, so no path can lead out of a folder. */
export class StaticFiles {
  readonly #files: ReadonlyMap<string, StaticFile>;
  readonly #versions = new Map<string, Version>();

  constructor(files: ReadonlyMap<string, StaticFile>) {
    this.#files = files;
  }

  /** Answers GET and HEAD, with 304 where the client has the file. @returns whether there is such a file. */
  async answer(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const entry = this.#files.get(path);
    const version = entry && (await this.#version(entry.file));
    if (entry === undefined || version === undefined) return false;
    response.setHeader('Cache-Control', entry.cacheControl);
    response.setHeader('ETag', version.etag);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    for (const [name, value] of Object.entries(entry.headers ?? {})) response.setHeader(name, value);
    if (hasVersion(request.headers['if-none-match'], version.etag)) {
      response.writeHead(304).end();
      return true;
    }
    response.writeHead(200, {
      'Content-Type': CONTENT_TYPES[extname(entry.file)] ?? 'application/octet-stream',
      'Content-Length': version.bytes,
    });
    if (request.method === 'HEAD') response.end();
    else await pipeline(createReadStream(entry.file), response).catch(ignoreClosed);
    return true;
  }

  /** Undefined where the file is gone. */
  async #version(file: string): Promise<Version | undefined> {
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) return undefined;
    const known = this.#versions.get(file);
    if (known?.modifiedMs === found.mtimeMs && known.bytes === found.size) return known;
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    const etag = `"${hash.digest('base64url').slice(0, 22)}"`;
    const version = { modifiedMs: found.mtimeMs, bytes: found.size, etag };
    this.#versions.set(file, version);
    return version;
  }
}

/** All files of a folder, not of folders in it, as `prefix + name`; none where there is no such folder. */
export async function filesOfFolder(
  folder: string,
  prefix: string,
  entry: Omit<StaticFile, 'file'>,
): Promise<Map<string, StaticFile>> {
  const found = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const files = found.filter((item) => item.isFile() && !item.name.endsWith('.map'));
  return new Map(files.map(({ name }) => [prefix + name, { ...entry, file: join(folder, name) }]));
}

function hasVersion(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}

/** A visitor who leaves in the middle of a file is no fault. */
function ignoreClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE' && error.code !== 'ECONNRESET' && error.code !== 'EPIPE')
    throw error;
}
