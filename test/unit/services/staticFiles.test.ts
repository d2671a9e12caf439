import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesOfFolder, StaticFiles } from '../../../services/gateway/staticFiles.js';

let folder: string;
let server: Server;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-static-'));
  writeFileSync(join(folder, 'page.html'), '<p>Grüße</p>');
  writeFileSync(join(folder, 'page.js.map'), '{}');
  const entry = { cacheControl: 'no-cache', headers: { 'X-Test': 'yes' } };
  const files = new StaticFiles(await filesOfFolder(folder, '/files/', entry));
  server = createServer((request, response) => {
    void files.answer(request.url ?? '', request, response).then((isFound) => {
      if (!isFound) response.writeHead(404).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function ask(path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(parts).toString(),
        });
      });
    });
    request.on('error', reject).end();
  });
}

test('a file comes whole, with its type, length and the headers asked for', async () => {
  const { status, headers, text } = await ask('/files/page.html');
  expect({ status, text }).toEqual({ status: 200, text: '<p>Grüße</p>' });
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-length': '14',
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'x-test': 'yes',
  });
});

test('HEAD gives the same headers and no body', async () => {
  const head = await ask('/files/page.html', 'HEAD');
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers['content-length']).toBe('14');
});

test('who has the file gets 304, until it changes', async () => {
  const { headers } = await ask('/files/page.html');
  const etag = headers.etag ?? '';
  expect(etag).toMatch(/^".+"$/);
  const again = await ask('/files/page.html', 'GET', { 'if-none-match': `"other", W/${etag}` });
  expect(again).toMatchObject({ status: 304, text: '' });
  writeFileSync(join(folder, 'page.html'), '<p>new</p>');
  utimesSync(join(folder, 'page.html'), new Date(), new Date(Date.now() + 5000));
  const changed = await ask('/files/page.html', 'GET', { 'if-none-match': etag });
  expect(changed).toMatchObject({ status: 200, text: '<p>new</p>' });
  writeFileSync(join(folder, 'page.html'), '<p>Grüße</p>');
});

test.each([
  '/files/',
  '/files/none.html',
  '/files/page.js.map',
  '/files/../page.html',
  '/files/%2e%2e/etc/passwd',
])('nothing is found at %s', async (path) => {
  expect((await ask(path)).status).toBe(404);
});

test('a folder that is not there has no files', async () => {
  expect([...(await filesOfFolder(join(folder, 'none'), '/', { cacheControl: 'no-cache' }))]).toEqual([]);
});
