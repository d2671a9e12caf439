import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { openClientPage, samplesOf } from './clientPage.js';
import { ServerProcess } from './serverProcess.js';

/** From the kill until another server, another process, begins to listen at its address. */
const OUTAGE_MS = 2000;
/** What is quieter than this over a window counts as silence: 60 dB under full scale. */
const SILENCE = 1e-3;
const WINDOW_MS = 10;

/** What a page hears of a server that is killed in mid-speech and that another one follows; milliseconds. */
export interface ReconnectFigures {
  /** From the kill until the other server listened. */
  readonly outageMs: number;
  /** From then until the session was open again. */
  readonly foundMs: number;
  /** Longest silence of what was played, and of what was said in the same time. */
  readonly playedGapMs: number;
  readonly sourceGapMs: number;
}

/** Kills the server for {@link OUTAGE_MS} in mid-speech; the page is not loaded again. */
export async function measureReconnect(
  page: Page,
  sampleRate: number,
  serverOptions: readonly string[],
): Promise<ReconnectFigures> {
  let server = await ServerProcess.start(serverOptions);
  const { port } = new URL(server.url);
  const standby = await ServerProcess.standBy([...serverOptions, '--port', port]);
  try {
    await openClientPage(page, Number(port));
    await page.evaluate(`(async () => {
      const { session, finish } = await startTrip(${sampleRate});
      session.on('state', (state) => { if (state === 'open') window.openedAtMs = Date.now(); });
      Object.assign(window, { session, finish });
    })()`);
    await sleep(1500);
    const killedAtMs = Date.now();
    await server.kill();
    await sleep(OUTAGE_MS - (Date.now() - killedAtMs));
    server = await standby.listen();
    const listeningAtMs = Date.now();
    await page.waitForFunction('window.openedAtMs !== undefined');
    await sleep(2500);
    const { recorded, openedAtMs } = await page.evaluate<{ recorded: [string, string]; openedAtMs: number }>(
      `(async () => {
        const recorded = finish();
        await session.close();
        return { recorded, openedAtMs };
      })()`,
    );
    const [source, played] = recorded.map((base64) => longestSilenceMs(samplesOf(base64), sampleRate));
    return {
      outageMs: listeningAtMs - killedAtMs,
      foundMs: Math.max(0, openedAtMs - listeningAtMs),
      playedGapMs: played ?? NaN,
      sourceGapMs: source ?? NaN,
    };
  } finally {
    standby.kill();
    await server.stop();
  }
}

function longestSilenceMs(pcm: Float32Array, sampleRate: number): number {
  const window = Math.round((WINDOW_MS * sampleRate) / 1000);
  let longest = 0;
  let run = 0;
  for (let at = 0; at + window <= pcm.length; at += window) {
    const isSilent = pcm.subarray(at, at + window).every((sample) => Math.abs(sample) < SILENCE);
    run = isSilent ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest * WINDOW_MS;
}
