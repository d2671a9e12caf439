import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const CHROMIUM_PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/**
 * Flags for a machine without display, sound card or way out: without the background ones Chromium looks for its maker's
 * hosts at every start.
 */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A headless Chromium. Close it. `microphone` is a WAV file that its pages hear, over and over, when they ask for one. */
export function launchBrowser({ microphone }: { readonly microphone?: string } = {}): Promise<Browser> {
  const executablePath = process.env['TESSERA_CHROMIUM'] ?? CHROMIUM_PATHS.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error('There is no Chromium: scripts/test.sh installs it');
  const devices =
    microphone === undefined
      ? []
      : ['--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${microphone}`];
  return chromium.launch({ executablePath, args: [...FLAGS, ...devices] });
}
