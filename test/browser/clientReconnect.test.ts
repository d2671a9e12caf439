import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { launchBrowser, launchUsersBrowser } from '../support/browser.js';
import { openClientPage } from '../../scripts/bench/clientPage.js';
import { repositoryPath } from '../support/sourceFiles.js';
import { fixtureUrl } from '../support/wavFixture.js';

let browser: Browser;
const servers: ChildProcess[] = [];
beforeAll(async () => {
  browser = await launchBrowser({ microphone: fileURLToPath(fixtureUrl('speech-en-1.wav')) });
});
afterAll(async () => {
  for (const server of servers) server.kill('SIGKILL');
  await browser.close();
});

/** `tessera serve` at a port. @returns the port, once it listens. */
async function serve(port: number): Promise<number> {
  const arguments_ = [
    'serve',
    '--port',
    String(port),
    '--log',
    'error',
    '--provider',
    'cpu',
    '--max-sessions',
    '8',
  ];
  const child = spawn(process.execPath, [`${repositoryPath}dist/scripts/tessera.js`, ...arguments_], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  servers.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const found = /ws:\/\/[^:]+:(\d+)/.exec(line)?.[1];
    if (found !== undefined) return Number(found);
  }
  throw new Error('The server ended before it listened');
}

test('a server that is killed in mid-speech and started again is spoken to again, without a reload', async () => {
  const port = await serve(0);
  const context = await browser.newContext({ permissions: ['microphone'] });
  const page = await context.newPage();
  await openClientPage(page, port);
  await page.evaluate(`(async () => {
    const session = await tessera.connect(streamUrl, { mode: 'resynth' });
    window.session = session;
    window.states = [];
    window.ends = [];
    session.on('state', (state) => states.push(state));
    session.on('audio', ({ firstSampleIndex, samples }) => ends.push(firstSampleIndex + samples.length));
    await session.play();
    await session.sendMicrophone();
  })()`);
  const heardAfter = (count: number): Promise<unknown> => page.waitForFunction(`ends.length > ${count}`);
  await heardAfter(20);
  const before = await page.evaluate<{ id: string; playedMs: number; end: number }>(
    `({ id: session.id, playedMs: session.stats.playback.playedMs, end: ends.at(-1) })`,
  );
  const killed = servers.at(-1)!;
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  await page.waitForFunction(`session.state === 'reconnecting'`);
  await serve(port);
  await page.waitForFunction(`session.state === 'open'`);
  await heardAfter(await page.evaluate<number>('ends.length + 20'));
  const after = await page.evaluate<{ id: string; playedMs: number; ends: number[]; states: string[] }>(
    `({ id: session.id, playedMs: session.stats.playback.playedMs, ends, states })`,
  );
  expect(after.id).not.toBe(before.id);
  expect(after.states).toEqual(['reconnecting', 'open']);
  expect(after.playedMs).toBeGreaterThan(before.playedMs);
  // Positions go on: never back, and the time that was lost is left out.
  expect(after.ends).toEqual([...after.ends].sort((one, other) => one - other));
  expect(after.ends.at(-1)).toBeGreaterThan(before.end);
  await context.close();
});

/** Gives `window.session` and counts the pieces of sound that come in `window.frames`. */
const SPEAK_AND_LISTEN = `(async () => {
  window.session = await tessera.connect(streamUrl, { mode: 'resynth' });
  window.frames = 0;
  session.on('audio', () => (frames += 1));
  await session.play();
  await session.sendMicrophone();
})()`;

test('a session goes on behind another tab, and on a slow processor', async () => {
  const port = await serve(0);
  const context = await browser.newContext({ permissions: ['microphone'] });
  const page = await context.newPage();
  await openClientPage(page, port);
  const devtools = await context.newCDPSession(page);
  await page.evaluate(SPEAK_AND_LISTEN);
  const moreFrames = async (): Promise<void> => {
    const now = await page.evaluate<number>('frames');
    // Polled from here: a hidden page draws nothing.
    await page.waitForFunction(`frames > ${now + 25}`, undefined, { polling: 100 });
  };
  await moreFrames();
  const other = await context.newPage();
  await other.bringToFront();
  await moreFrames();
  await page.bringToFront();
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  await moreFrames();
  expect(await page.evaluate('session.state')).toBe('open');
  await page.evaluate('session.close()');
  await context.close();
});

test('a session goes on in a tab that is hidden, and comes back there after the server was killed', async () => {
  const port = await serve(0);
  const tabs = await launchUsersBrowser({
    microphone: fileURLToPath(fixtureUrl('speech-en-1.wav')),
  });
  try {
    const { context } = tabs;
    await context.grantPermissions(['microphone'], { origin: `http://127.0.0.1:${port}` });
    const page = await context.newPage();
    await openClientPage(page, port);
    await page.evaluate(SPEAK_AND_LISTEN);
    const playsOn = async (): Promise<void> => {
      const { frames, playedMs } = await page.evaluate<{ frames: number; playedMs: number }>(
        '({ frames, playedMs: session.stats.playback.playedMs })',
      );
      await page.waitForFunction(
        `frames > ${frames + 50} && session.stats.playback.playedMs > ${playedMs + 500}`,
        undefined,
        { polling: 100 },
      );
    };
    await playsOn();
    await (await context.newPage()).bringToFront();
    await page.waitForFunction(`document.visibilityState === 'hidden'`, undefined, { polling: 100 });
    await playsOn();
    const id = await page.evaluate('session.id');
    servers.at(-1)!.kill('SIGKILL');
    await page.waitForFunction(`session.state === 'reconnecting'`, undefined, { polling: 100 });
    await serve(port);
    await page.waitForFunction(`session.state === 'open'`, undefined, { polling: 100 });
    await playsOn();
    expect(await page.evaluate('session.id')).not.toBe(id);
    expect(await page.evaluate('document.visibilityState')).toBe('hidden');
    await page.evaluate('session.close()');
  } finally {
    await tabs.close();
  }
});
