import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { decodeServerFrame, FRAME_TYPES, type TokenBlock } from '../../protocol/index.js';
import { connect } from '../../sdk/node.js';
import type { Gateway } from '../../services/gateway/index.js';
import { launchBrowser } from '../support/browser.js';
import { recordingMatch } from '../support/recordingMatch.js';
import { startGateway } from '../support/testGateway.js';
import { fixtureUrl, readWavFixture } from '../support/wavFixture.js';

const WAIT = { timeout: 30_000 };
const MICROPHONE_FIXTURE = 'speech-de-1.wav';

let gateway: Gateway;
let browser: Browser;
let url: string;

beforeAll(async () => {
  const started = await startGateway();
  gateway = started.gateway;
  url = `http://127.0.0.1:${started.port}/`;
  browser = await launchBrowser({ microphone: fileURLToPath(fixtureUrl(MICROPHONE_FIXTURE)) });
});
// A tab that a failed test leaves behind would go on playing.
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
afterAll(async () => {
  await browser.close();
  await gateway.close();
});

interface StudioTab {
  readonly page: Page;
  /** What went wrong in the console, and requests to other servers. */
  readonly complaints: string[];
  /** Codebooks of the TOKENS packets that the server has sent. */
  readonly quantizers: number[];
}

/** The studio in a context of its own; what reaches its speaker can be read with {@link heard}. */
async function openStudio(options: BrowserContextOptions = {}, tabOf = browser): Promise<StudioTab> {
  // Software draws the pages of a headless browser: two drawings a second leave the processor to the codec.
  const context = await tabOf.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const quantizers: number[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('blob:')) complaints.push(request.url());
  });
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      if (typeof payload === 'string' || payload[0] !== FRAME_TYPES.tokens) return;
      const limits = { codebookSize: 1024, maxQuantizers: 64, maxFramesPerPacket: 50, maxFrameBytes: 65_536 };
      const frame = decodeServerFrame(payload, limits);
      if (frame.kind === 'tokens') quantizers.push(frame.quantizers);
    });
  });
  await page.addInitScript(() => {
    const { connect } = AudioNode.prototype as unknown as {
      readonly connect: (this: AudioNode, node: AudioNode) => AudioNode;
    };
    const tapped = function (this: AudioNode, node: AudioNode): AudioNode {
      if (node instanceof AudioDestinationNode) {
        const tap = new AnalyserNode(this.context, { fftSize: 8192 });
        connect.call(this, tap);
        Object.assign(window, { tap });
      }
      return connect.call(this, node);
    };
    Object.assign(AudioNode.prototype, { connect: tapped });
    // A made-up microphone has no echo, and what is taken for one would be removed from its speech.
    const devices = navigator.mediaDevices;
    const getUserMedia = devices.getUserMedia.bind(devices);
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    devices.getUserMedia = () => getUserMedia({ audio });
  });
  await page.goto(url);
  await page.waitForSelector('#bitrate:enabled', WAIT);
  return { page, complaints, quantizers };
}

/** How what reached the speaker just now compares with a recording that is played again and again. */
async function compareHeard(page: Page, fixture: string): Promise<number> {
  const samples = await page.evaluate(() => {
    const { tap } = window as unknown as { readonly tap?: AnalyserNode };
    if (tap === undefined) return [];
    const pcm = new Float32Array(tap.fftSize);
    tap.getFloatTimeDomainData(pcm);
    return Array.from(pcm);
  });
  return recordingMatch(readWavFixture(fixture).samples, Float32Array.from(samples));
}

/** Waits until what is heard compares as asked for: on a busy machine a stretch of it may have come too late. */
async function waitForMatch(
  page: Page,
  fixture: string,
  isRight: (correlation: number) => boolean,
): Promise<void> {
  let match = 0;
  const deadline = Date.now() + WAIT.timeout;
  while (Date.now() < deadline) {
    match = await compareHeard(page, fixture);
    if (isRight(match)) return;
    await page.waitForTimeout(400);
  }
  throw new Error(`What is heard stays at a correlation of ${match} of ${fixture}`);
}

/** Waits until so many seconds of the resynthesis have been drawn. */
async function waitForSound(page: Page, seconds: number): Promise<void> {
  await page.waitForFunction(
    (columns) =>
      Number(document.getElementById('resynthesis-spectrogram')?.dataset['columns'] ?? 0) >= columns,
    seconds * 100,
    WAIT,
  );
}

/** How many different colours a canvas shows. */
const coloursOf = (page: Page, id: string): Promise<number> =>
  page.evaluate((canvasId) => {
    const canvas = document.getElementById(canvasId) as HTMLCanvasElement;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {
      willReadFrequently: true,
    })!;
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set<number>();
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] === 255) colours.add((data[at]! << 16) | (data[at + 1]! << 8) | data[at + 2]!);
    }
    return colours.size;
  }, id);

/** Speech at a few kbit/s: plainly the same sound, and not the waveform itself. */
const isResynthesis = (correlation: number): boolean => correlation > 0.6 && correlation < 0.99;
const isOriginal = (correlation: number): boolean => correlation > 0.999;

test('controls can be used when the script is there, not before', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  let letScriptCome = (): void => undefined;
  const held = new Promise<void>((resolve) => (letScriptCome = resolve));
  await page.route('**/studio/main.js', async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(url, { waitUntil: 'commit' });
  const controls = page.locator('button, #file, #link, #bitrate');
  await page.waitForSelector('#leave', { state: 'attached', ...WAIT });
  const usable = (): Promise<string[]> =>
    controls.evaluateAll((all) =>
      all.filter((control) => !(control as HTMLButtonElement).disabled).map(({ id }) => id),
    );
  expect(await controls.count()).toBe(10);
  expect(await usable()).toEqual([]);
  letScriptCome();
  await page.waitForSelector('#join:enabled', WAIT);
  // Nothing can be stopped or left yet.
  expect(await usable()).toHaveLength(8);
  await context.close();
});

test('a sample is heard and seen with one click, and nothing comes from elsewhere', async () => {
  const { page, complaints } = await openStudio();
  const blank = await Promise.all(
    ['original-spectrogram', 'resynthesis-spectrogram', 'token-grid'].map((id) => coloursOf(page, id)),
  );
  expect(blank.every((colours) => colours <= 1)).toBe(true);
  await page.click('[data-sample="speech-en-1.wav"]');
  await waitForSound(page, 2.5);
  for (const id of ['original-spectrogram', 'resynthesis-spectrogram', 'token-grid']) {
    expect(await coloursOf(page, id)).toBeGreaterThan(50);
  }
  await waitForMatch(page, 'speech-en-1.wav', isResynthesis);
  await expectReading(page, 'reading-codes', (kbps) => kbps === 3);
  await expectReading(page, 'reading-wire', (kbps) => kbps > 3);
  await expectReading(page, 'reading-delay', (ms) => ms >= 35);
  await page.click('#stop');
  expect(await page.textContent('#status')).toBe('Stopped.');
  expect(complaints).toEqual([]);
});

async function expectReading(page: Page, id: string, isRight: (value: number) => boolean): Promise<void> {
  let text: string | null = '';
  const deadline = Date.now() + WAIT.timeout;
  while (Date.now() < deadline) {
    text = await page.textContent(`#${id}`);
    if (isRight(Number.parseFloat(text ?? ''))) return;
    await page.waitForTimeout(100);
  }
  throw new Error(`${id} stays at ${text}`);
}

test('A/B switches between the same place of both tracks', async () => {
  const { page } = await openStudio();
  await page.click('[data-sample="speech-en-1.wav"]');
  await page.click('label[for=hear-original]');
  await waitForMatch(page, 'speech-en-1.wav', isOriginal);
  await page.click('label[for=hear-resynthesis]');
  await waitForMatch(page, 'speech-en-1.wav', isResynthesis);
  await page.click('label[for=hear-original]');
  await waitForMatch(page, 'speech-en-1.wav', isOriginal);
});

test('the bitrate slider changes what the server sends', async () => {
  const { page, quantizers } = await openStudio();
  await page.click('[data-sample="speech-ja-1.wav"]');
  await waitForSound(page, 0.5);
  expect(new Set(quantizers)).toEqual(new Set([6]));
  await page.focus('#bitrate');
  await page.keyboard.press('Home');
  await expectReading(page, 'reading-codes', (kbps) => kbps === 0.5);
  await page.keyboard.press('End');
  const most = Number(await page.getAttribute('#bitrate', 'max'));
  await expectReading(page, 'reading-codes', (kbps) => kbps === most / 2);
  await waitForSound(page, 1.5);
  expect(new Set(quantizers)).toEqual(new Set([6, 1, most]));
  expect(await page.getAttribute('#bitrate', 'aria-valuetext')).toBe(
    `${most / 2} kilobit per second, ${most} of ${most} codebooks`,
  );
});

test('on a thin link the server sends fewer codebooks, and all again without it', async () => {
  const { page, quantizers } = await openStudio();
  await page.focus('#bitrate');
  await page.keyboard.press('End');
  const most = Number(await page.getAttribute('#bitrate', 'max'));
  await page.click('[data-sample="speech-en-1.wav"]');
  await expectReading(page, 'reading-codes', (kbps) => kbps === most / 2);
  const setLink = (step: number): Promise<void> => page.locator('#link').fill(String(step));
  // 6.5 kbit/s, of which packets' headers take more than the half.
  await setLink(1);
  await expectReading(page, 'reading-codes', (kbps) => kbps <= 3);
  await waitForMatch(page, 'speech-en-1.wav', isResynthesis);
  quantizers.length = 0;
  await setLink(Number(await page.getAttribute('#link', 'max')));
  await expectReading(page, 'reading-codes', (kbps) => kbps === most / 2);
  expect(quantizers.at(-1)).toBe(most);
});

test('decoded in the page: the model is fetched on demand, and the sound comes without a second session', async () => {
  const { page, complaints } = await openStudio();
  const fetched: string[] = [];
  page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
  await page.click('[data-sample="speech-en-1.wav"]');
  await waitForSound(page, 0.3);
  expect(fetched.filter((path) => path.startsWith('/v1/model/'))).toEqual([]);
  let sockets = 0;
  page.on('websocket', () => (sockets += 1));
  await page.check('#local');
  await page.waitForFunction(
    () => document.getElementById('status')!.textContent.startsWith('Playing'),
    null,
    WAIT,
  );
  await waitForMatch(page, 'speech-en-1.wav', isResynthesis);
  expect(fetched.filter((path) => path.startsWith('/v1/model/')).length).toBeGreaterThan(1);
  expect(sockets).toBe(1);
  expect(complaints).toEqual([]);
});

test('a dropped recording plays; what is no sound is refused in words', async () => {
  const { page, complaints } = await openStudio();
  const drop = async (name: string, bytes: Buffer): Promise<void> => {
    await page.evaluate(
      async ([fileName, base64]) => {
        const transfer = new DataTransfer();
        const content = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([content], fileName));
        document.body.dispatchEvent(
          new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }),
        );
      },
      [name, bytes.toString('base64')] as const,
    );
  };
  await drop('broken.wav', readFileSync(fixtureUrl('speech-it-1.wav')).subarray(100, 5000));
  await page.waitForSelector('#alert:visible', WAIT);
  expect(await page.textContent('#alert')).toMatch(/cannot be read as sound.*Choose/);
  await page.setInputFiles('#file', fileURLToPath(fixtureUrl('speech-en-1.opus')));
  await waitForSound(page, 0.5);
  await drop('italian.wav', readFileSync(fixtureUrl('speech-it-1.wav')));
  await page.waitForFunction(
    () => document.getElementById('status')?.textContent === 'Playing italian.wav.',
    null,
    WAIT,
  );
  await waitForMatch(page, 'speech-it-1.wav', isResynthesis);
  expect(await page.isVisible('#alert')).toBe(false);
  expect(complaints).toEqual([]);
});

test('the microphone goes through the codec', async () => {
  const { page, complaints } = await openStudio({ permissions: ['microphone'] });
  await page.click('#microphone');
  await waitForSound(page, 3);
  expect(await coloursOf(page, 'token-grid')).toBeGreaterThan(50);
  expect(complaints).toEqual([]);
});

test('a microphone that is not allowed is told in words', async () => {
  const { page } = await openStudio({ permissions: [] });
  await page.click('#microphone');
  await page.waitForSelector('#alert:visible', WAIT);
  expect(await page.textContent('#alert')).toMatch(/not allowed.*Allow it for this page/);
  // The samples work all the same.
  await page.click('[data-sample="speech-en-1.wav"]');
  await waitForSound(page, 0.5);
  expect(await page.isVisible('#alert')).toBe(false);
});

test('two in a room hear each other; a third is turned away; a room can be left', async () => {
  const other = await launchBrowser({ microphone: fileURLToPath(fixtureUrl('speech-ja-1.wav')) });
  try {
    const german = await openStudio({ permissions: ['microphone'] });
    const japanese = await openStudio({ permissions: ['microphone'] }, other);
    const join = async ({ page }: StudioTab): Promise<void> => {
      await page.fill('#room', 'kitchen');
      await page.press('#room', 'Enter');
    };
    const waitForStatus = ({ page }: StudioTab, words: string): Promise<unknown> =>
      page.waitForFunction(
        (text) => document.getElementById('call-status')?.textContent === text,
        words,
        WAIT,
      );
    await join(german);
    await waitForStatus(german, 'Waiting in kitchen for the other.');
    await join(japanese);
    await waitForStatus(german, 'Talking in kitchen.');
    await waitForStatus(japanese, 'Talking in kitchen.');
    await waitForMatch(german.page, 'speech-ja-1.wav', isResynthesis);
    await waitForMatch(japanese.page, 'speech-de-1.wav', isResynthesis);
    await expectReading(german.page, 'call-received', (kbps) => kbps > 3);
    const third = await openStudio({ permissions: ['microphone'] });
    await join(third);
    await waitForStatus(third, 'Two are in this room already. Choose another name.');
    await german.page.click('#leave');
    await waitForStatus(german, 'You have left the room.');
    await waitForStatus(japanese, 'The other has left. Waiting in kitchen.');
    expect([...german.complaints, ...japanese.complaints]).toEqual([]);
  } finally {
    await other.close();
  }
});

test('a call that is encoded and decoded in the pages: only tokens cross the network, both ways', async () => {
  const german = await openStudio({ permissions: ['microphone'] });
  const { page, complaints } = german;
  const sockets: string[] = [];
  const largest = { sent: 0, received: 0 };
  page.on('websocket', (socket) => {
    sockets.push(socket.url());
    const note = (way: keyof typeof largest, payload: string | Buffer): void => {
      if (typeof payload !== 'string') largest[way] = Math.max(largest[way], payload.length);
    };
    socket.on('framesent', ({ payload }) => note('sent', payload));
    socket.on('framereceived', ({ payload }) => note('received', payload));
  });
  // The other is one that the server encodes: both kinds understand each other.
  const other = await connect(`${url.replace('http', 'ws')}v1/stream`, {
    mode: 'encode',
    publish: { stream: 'room.local.b' },
  });
  const { samples } = readWavFixture('speech-ja-1.wav');
  let at = 0;
  const talking = setInterval(() => {
    other.send(samples.subarray(at, at + 2400));
    at = (at + 2400) % samples.length;
  }, 100);
  try {
    await page.check('#call-local');
    await page.fill('#room', 'local');
    await page.press('#room', 'Enter');
    await page.waitForFunction(
      () => document.getElementById('call-status')?.textContent === 'Talking in local.',
      null,
      WAIT,
    );
    await waitForMatch(page, 'speech-ja-1.wav', isResynthesis);
    await expectReading(page, 'call-sent', (kbps) => kbps > 0.5);
    const listener = await connect(`${url.replace('http', 'ws')}v1/stream`, {
      mode: 'subscribe',
      stream: 'room.local.a',
    });
    const { value } = (await listener.tokens().next()) as { value: TokenBlock };
    expect(value.frameCount).toBeGreaterThan(0);
    await listener.close();
    // A voice that nothing answers is no dead connection.
    await page.waitForTimeout(6000);
    expect(sockets).toHaveLength(2);
    expect(largest.sent).toBeGreaterThan(0);
    expect(Math.max(largest.sent, largest.received)).toBeLessThan(100);
    expect(complaints).toEqual([]);
  } finally {
    clearInterval(talking);
    await other.close();
  }
});

test('everything is reached and worked by keyboard alone, with a visible focus', async () => {
  const { page } = await openStudio();
  const walked: string[] = [];
  for (let step = 0; step < 30; step += 1) {
    await page.keyboard.press('Tab');
    const { name, outline } = await page.evaluate(() => {
      const focused = document.activeElement as HTMLElement;
      if (focused === document.body || focused.dataset['walked']) return { name: '', outline: 'solid' };
      focused.dataset['walked'] = 'yes';
      // The sight of a hidden input is its label.
      const sight = focused.matches('.segments input')
        ? focused.nextElementSibling
        : focused.id === 'file'
          ? focused.previousElementSibling
          : focused;
      return {
        name: focused.id || focused.dataset['sample'] || focused.textContent,
        outline: getComputedStyle(sight!).outlineStyle,
      };
    });
    if (name === '') break;
    expect({ name, outline }).toEqual({ name, outline: 'solid' });
    walked.push(name);
    if (name === 'speech-en-1.wav') await page.keyboard.press('Enter');
    if (name === 'speech-en-1.wav') await waitForSound(page, 0.3);
  }
  expect(walked).toEqual(
    expect.arrayContaining([
      'Skip to the studio',
      'Listen',
      'Call',
      'theme',
      'speech-en-1.wav',
      'speech-ja-1.wav',
      'microphone',
      'file',
      'stop',
      'hear-resynthesis',
      'bitrate',
      'link',
      'local',
      'room',
      'join',
      'call-local',
    ]),
  );
  await page.focus('#hear-resynthesis');
  await page.keyboard.press('ArrowLeft');
  expect(await page.isChecked('#hear-original')).toBe(true);
  await page.focus('#stop');
  await page.keyboard.press('Space');
  expect(await page.textContent('#status')).toBe('Stopped.');
});

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8');

test.each([
  ['laptop, light', { colorScheme: 'light' }],
  ['laptop, dark', { colorScheme: 'dark' }],
  ['phone, dark', { colorScheme: 'dark', viewport: { width: 390, height: 844 } }],
] as const)('%s: names, roles and contrasts are in order, nothing overflows', async (_, options) => {
  const { page, complaints } = await openStudio(options);
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const { axe: inPage } = window as unknown as { readonly axe: typeof axe };
    const { violations: found } = await inPage.run();
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
  expect(violations).toEqual([]);
  const { scrollWidth, clientWidth } = await page.evaluate(() => ({
    scrollWidth: document.documentElement.scrollWidth,
    clientWidth: document.documentElement.clientWidth,
  }));
  expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
  expect(complaints).toEqual([]);
});

test('the theme follows the system until the toggle is used, and is kept', async () => {
  const { page } = await openStudio({ colorScheme: 'dark' });
  const paper = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await paper();
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await paper();
  expect(light).not.toBe(dark);
  await page.click('#theme');
  expect(await paper()).toBe(dark);
  await page.reload();
  expect(await paper()).toBe(dark);
});

test('a server that goes away is told in words, and again when there is none at all', async () => {
  const { gateway: other, port } = await startGateway();
  const page = await (await browser.newContext({ reducedMotion: 'reduce' })).newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  // Until its script runs the page takes no clicks.
  await page.waitForSelector('#bitrate:enabled', WAIT);
  await page.click('[data-sample="speech-en-1.wav"]');
  await waitForSound(page, 0.3);
  await other.close();
  await page.waitForFunction(
    () => /broke.*trying again/i.test(document.getElementById('status')!.textContent),
    null,
    WAIT,
  );
  await page.click('#stop');
  await page.click('[data-sample="speech-ja-1.wav"]');
  await page.waitForSelector('#alert:visible', WAIT);
  expect(await page.textContent('#alert')).toMatch(/server cannot be reached.*start again/);
});
