import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GatewayMetrics } from './metrics.js';
import type { StaticFiles } from './staticFiles.js';

/** What `/healthz` tells. */
export interface Health {
  readonly status: 'ok' | 'stopping';
  readonly version: string;
  readonly model: string;
  readonly modelDigest: string;
  readonly provider: string;
  readonly sessions: number;
  readonly uptimeSeconds: number;
}

/** Where the HTTP answers come from. */
export interface HttpSources {
  readonly health: () => Health;
  /** Undefined when sessions can be opened, else why not. */
  readonly notReady: () => string | undefined;
  readonly metrics: GatewayMetrics;
  /** The studio page, and other files that are served as they are. */
  readonly files: StaticFiles;
}

/** Answers `/healthz`, `/readyz`, `/metrics` and the static files; everything else is 404. */
export async function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  sources: HttpSources,
): Promise<void> {
  // There is no use for a body here.
  request.resume();
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    sendJson(response, 405, { code: 'method_not_allowed', message: 'Only GET is answered here' });
    return;
  }
  const path = pathOf(request);
  switch (path) {
    case '/healthz':
      sendJson(response, 200, sources.health());
      return;
    case '/readyz': {
      const reason = sources.notReady();
      if (reason === undefined) sendJson(response, 200, { status: 'ready' });
      else sendJson(response, 503, { status: 'not ready', reason });
      return;
    }
    case '/metrics': {
      const text = await sources.metrics.registry.metrics();
      response.writeHead(200, { 'Content-Type': sources.metrics.registry.contentType }).end(text);
      return;
    }
    default:
      if (await sources.files.answer(path, request, response)) return;
      sendJson(response, 404, { code: 'not_found', message: `There is nothing at ${path}` });
  }
}

/** The path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/';
}

/** The bytes of a refusal of a WebSocket handshake, after which the socket is closed. */
export function refusal(
  status: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): string {
  const json = JSON.stringify(body);
  const lines = [
    `HTTP/1.1 ${status}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(json)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${json}`;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, {
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    })
    .end(JSON.stringify(body));
}
