import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

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
export function launchBrowser({ microphone, hasWebGpu = false }: BrowserOptions = {}): Promise<Browser> {
  const executablePath = process.env['TESSERA_CHROMIUM'] ?? CHROMIUM_PATHS.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error('There is no Chromium: scripts/test.sh installs it');
  const devices =
    microphone === undefined
      ? []
      : ['--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${microphone}`];
  const gpu = hasWebGpu ? SOFTWARE_GPU : ['--disable-gpu'];
  return chromium.launch({ executablePath, args: [...FLAGS, ...gpu, ...devices] });
}
