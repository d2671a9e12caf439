import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import type { Gateway } from '../../services/gateway/index.js';
import { launchBrowser } from '../support/browser.js';
import { repositoryPath } from '../support/sourceFiles.js';
import { startGateway } from '../support/testGateway.js';
import { fixtureUrl } from '../support/wavFixture.js';

const EXAMPLES = `${repositoryPath}examples/`;
const SPEECH = fileURLToPath(fixtureUrl('speech-en-1.wav'));
let gateway: Gateway;
let port: number;
let browser: Browser;

beforeAll(async () => {
  // A page that is closed is gone at once: nobody comes back to its session.
  ({ gateway, port } = await startGateway({ resumeWindowMs: 0 }));
  browser = await launchBrowser({ microphone: SPEECH });
});
// No test begins before the sessions of the one before have ended.
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await noSessions();
});
afterAll(async () => {
  await browser.close();
  await gateway.close();
});

const run = async (script: string): Promise<string> => {
  const url = `ws://127.0.0.1:${port}/v1/stream`;
  const { stdout } = await promisify(execFile)(process.execPath, [EXAMPLES + script, url, SPEECH]);
  return stdout;
};

async function noSessions(): Promise<void> {
  while ([...gateway.sessions].length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function openPage(html: string): Promise<Page> {
  const context = await browser.newContext({ permissions: ['microphone'] });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${port}/healthz`);
  await page.setContent(html);
  return page;
}

test('the Node script prints the codes of every frame', async () => {
  const lines = (await run('encode.mjs')).trim().split('\n');
  const indices = lines.map((line) => Number(line.split(' ')[0]));
  expect(indices).toEqual(indices.map((_, frame) => frame));
  expect(lines.length).toBeGreaterThan(200);
  expect(new Set(lines.map((line) => line.split(' ').length))).toEqual(new Set([4]));
});

test('the voice agent hears, and speaks as long', async () => {
  expect(await run('voiceAgent.mjs')).toMatch(/^heard \d+ packets, spoke 5\.\d+ s\n$/);
});

test('the page of 20 lines plays what it hears', async () => {
  const html = readFileSync(`${EXAMPLES}page.html`, 'utf8');
  expect(html.trim().split('\n').length).toBeLessThanOrEqual(25);
  const page = await openPage(html);
  await page.click('button');
  await page.waitForFunction(`/^3000 bit/.test(document.querySelector('output').value)`);
});

test('the React hook starts, tells its state, and stops with its component', async () => {
  const app = `
    import { createElement as h, useState } from 'react';
    import { createRoot } from 'react-dom/client';
    import { useTessera } from ${JSON.stringify(`${EXAMPLES}useTessera.js`)};
    const options = { mode: 'resynth' };
    function Call() {
      const { state, stats, error, start } = useTessera(location.origin.replace('http', 'ws') + '/v1/stream', options);
      return h('p', { id: 'call' }, h('button', { onClick: start }, 'Start'), state, ' ', error?.code ?? '', ' ', stats?.nextFrameIndex > 10 ? 'heard' : '');
    }
    function App() {
      const [isShown, show] = useState(true);
      return h('div', null, isShown && h(Call), h('button', { id: 'leave', onClick: () => show(false) }, 'Leave'));
    }
    createRoot(document.getElementById('app')).render(h(App));`;
  const { outputFiles } = await build({
    stdin: { contents: app, resolveDir: repositoryPath },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const page = await openPage('<div id="app"></div>');
  await page.addScriptTag({ type: 'module', content: outputFiles[0]!.text });
  await page.click('text=Start');
  await page.waitForFunction(`/open .*heard/.test(document.getElementById('call')?.textContent)`);
  expect([...gateway.sessions]).toHaveLength(1);
  await page.click('#leave');
  await page.waitForFunction(`document.getElementById('call') === null`);
  await noSessions();
});
