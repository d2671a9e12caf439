import type { Page } from 'playwright-core';

/** A page of the gateway's origin with the client as `tessera`, and what records the audio graph. */
const HTML = `<!doctype html><meta charset="utf-8"><title>client</title><script type="module">
import * as tessera from '/client/tessera.js';
const recorder = \`
class Recorder extends AudioWorkletProcessor {
  process(inputs) {
    this.port.postMessage(inputs.map(([channel]) => channel ? channel.slice() : new Float32Array(128)));
    return true;
  }
}
registerProcessor('recorder', Recorder);\`;
// Samples in pieces, as one text.
window.base64Of = (pieces) => btoa(Array.from(
  new Uint8Array(Float32Array.from(pieces.flatMap((piece) => [...piece])).buffer), (byte) => String.fromCharCode(byte)).join(''));
// Records nodes of one context side by side, sample by sample.
window.record = async (context, ...nodes) => {
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([recorder], { type: 'text/javascript' })));
  const node = new AudioWorkletNode(context, 'recorder', { numberOfInputs: nodes.length, numberOfOutputs: 0 });
  const parts = nodes.map(() => []);
  node.port.onmessage = ({ data }) => data.forEach((part, index) => parts[index].push(part));
  nodes.forEach((source, index) => source.connect(node, 0, index));
  return () => {
    node.port.onmessage = null;
    return parts.map(base64Of);
  };
};
// Until the jitter buffer has forgotten how it all began (150 packets) and does not catch up any more; 13 s at most.
window.settled = async (session) => {
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  await wait(3000);
  for (let left = 10; left > 0; left -= 1) {
    const { skippedMs } = session.stats.playback;
    await wait(1000);
    if (session.stats.playback.skippedMs === skippedMs) return;
  }
};
// The fake microphone goes to the server and comes back to be played; both are recorded, once the buffer has settled.
window.startTrip = async (sampleRate) => {
  const session = await tessera.connect(streamUrl, { mode: 'resynth', input: { sampleRate } });
  const audioContext = new AudioContext({ sampleRate });
  const stream = await navigator.mediaDevices.getUserMedia(
    { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  const player = await session.play({ audioContext });
  await session.sendMicrophone(stream, { audioContext });
  await settled(session);
  return { session, finish: await record(audioContext, audioContext.createMediaStreamSource(stream), player.node) };
};
window.streamUrl = location.origin.replace('http', 'ws') + '/v1/stream';
window.tessera = tessera;
</script>`;

/** Opens it on a gateway of this machine. */
export async function openClientPage(page: Page, port: number): Promise<void> {
  // A page that a test makes up has no address, and Chromium lets it reach none on this machine: one of the server's does.
  await page.goto(`http://127.0.0.1:${port}/healthz`);
  await page.setContent(HTML);
  await page.waitForFunction('window.tessera !== undefined');
}

/** Samples that a page sent as base64. */
export function samplesOf(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** What {@link samplesOf} reads, and a page from a `data:` address. */
export function base64Of(samples: Float32Array): string {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength).toString('base64');
}
