import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium, type Browser, type BrowserContext } from 'playwright-core';

const CHROMIUM_PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/**
 * Flags for a machine without display, sound card or way out: without the background ones Chromium looks for its maker's
 * hosts at every start.
 */
const FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The processor imitates a GPU, for WebGPU. */
const SOFTWARE_GPU = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
];

/** What a test needs of a browser. */
export interface BrowserOptions {
  /** A WAV file that its pages hear, over and over, when they ask for a microphone. */
  readonly microphone?: string;
  /** It has WebGPU, in software. */
  readonly hasWebGpu?: boolean;
}

/** A headless Chromium. Close it. */
export function launchBrowser(options: BrowserOptions = {}): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: flags(options) });
}

/** A Chromium whose tabs are those of a user. */
export interface UsersBrowser {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** The same as its users have it: a tab behind another is hidden and slowed down, which playwright prevents otherwise. */
export async function launchUsersBrowser(options: BrowserOptions = {}): Promise<UsersBrowser> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-chromium-'));
  const own = ['--headless', '--remote-debugging-port=0', `--user-data-dir=${folder}`];
  const sound = '--autoplay-policy=no-user-gesture-required';
  const child = spawn(chromiumPath(), [...own, sound, ...flags(options), 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  for await (const line of createInterface({ input: child.stderr })) {
    const endpoint = /ws:\/\/\S+/.exec(line)?.[0];
    if (endpoint === undefined) continue;
    child.stderr.resume();
    const browser = await chromium.connectOverCDP(endpoint, { noDefaults: true });
    return { context: browser.contexts()[0]!, close };
  }
  await close();
  throw new Error('Chromium ended before it could be spoken to');
}

function chromiumPath(): string {
  const path = process.env['TESSERA_CHROMIUM'] ?? CHROMIUM_PATHS.find((one) => existsSync(one));
  if (path === undefined) throw new Error('There is no Chromium: scripts/test.sh installs it');
  return path;
}

function flags({ microphone, hasWebGpu = false }: BrowserOptions): string[] {
  const devices =
    microphone === undefined
      ? []
      : ['--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${microphone}`];
  return [...FLAGS, ...(hasWebGpu ? SOFTWARE_GPU : ['--disable-gpu']), ...devices];
}
