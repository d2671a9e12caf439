import { connect, type Session } from '../../sdk/node.js';
import type { Gateway } from '../../services/gateway/index.js';
import { Hop } from '../support/hop.js';
import { startGateway } from '../support/testGateway.js';
import { readWavFixture } from '../support/wavFixture.js';

const { samples, sampleRate } = readWavFixture('speech-en-1.wav');

const gateways: Gateway[] = [];
const hops: Hop[] = [];
const start = async (): Promise<number> => {
  const { gateway, port } = await startGateway();
  gateways.push(gateway);
  return port;
};
const hopTo = async (port: number): Promise<{ hop: Hop; url: string }> => {
  const hop = new Hop(port);
  hops.push(hop);
  return { hop, url: await hop.listen() };
};
afterEach(async () => {
  for (const hop of hops.splice(0)) hop.close();
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close({ deadlineMs: 100 })));
});

async function reaches(session: Session, state: string): Promise<void> {
  while (session.state !== state) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Codes by frame, as they came. */
function collect(session: Session): Map<number, string> {
  const frames = new Map<number, string>();
  session.on('tokens', ({ firstFrameIndex, frameCount, quantizers, codes }) => {
    for (let frame = 0; frame < frameCount; frame += 1) {
      const ofFrame = Array.from({ length: quantizers }, (_, q) => codes[q * frameCount + frame]);
      expect(frames.has(firstFrameIndex + frame)).toBe(false);
      frames.set(firstFrameIndex + frame, ofFrame.join());
    }
  });
  return frames;
}

/** Sends speech, with `disturb` in its middle. */
async function speak(
  url: string,
  disturb: (session: Session) => Promise<void>,
): Promise<Map<number, string>> {
  const session = await connect(url, { mode: 'encode', input: { sampleRate }, maxInputBufferMs: 10_000 });
  const frames = collect(session);
  const half = Math.floor(samples.length / 2);
  session.send(samples.subarray(0, half));
  await disturb(session);
  session.send(samples.subarray(half));
  await session.flush();
  await session.close();
  return frames;
}

test('a connection that breaks is resumed, and no frame is lost, changed or told twice', async () => {
  const { hop, url } = await hopTo(await start());
  const whole = await speak(url, async () => undefined);
  const broken = await speak(url, async (session) => {
    hop.cut();
    await reaches(session, 'reconnecting');
    await reaches(session, 'open');
  });
  expect(broken).toEqual(whole);
});

test('a server that is gone is replaced by another: positions go on', async () => {
  const { hop, url } = await hopTo(await start());
  const states: string[] = [];
  const ids: string[] = [];
  const frames = await speak(url, async (session) => {
    session.on('state', (state) => states.push(state));
    ids.push(session.id);
    const { value } = (await session.tokens().next()) as { value: { firstFrameIndex: number } };
    expect(value.firstFrameIndex).toBeGreaterThanOrEqual(0);
    hop.target = await start();
    hop.cut();
    await reaches(session, 'reconnecting');
    await reaches(session, 'open');
    ids.push(session.id);
  });
  expect(new Set(ids).size).toBe(2);
  expect(states).toEqual(['reconnecting', 'open', 'closing', 'closed']);
  const indices = [...frames.keys()];
  expect(indices).toEqual([...indices].sort((one, other) => one - other));
  // All input was still held: every frame came, and the last of the two sessions ends where one would have.
  expect(indices.at(-1)).toBeGreaterThanOrEqual(Math.ceil((samples.length / sampleRate) * 50));
  expect(indices.length).toBe(indices.at(-1)! + 1);
});

test('without reconnecting, a break ends the session with its error', async () => {
  const { hop, url } = await hopTo(await start());
  const session = await connect(url, { mode: 'encode', reconnect: false });
  const tokens = session.tokens();
  hop.cut();
  await expect(tokens.next()).rejects.toMatchObject({ code: 'connection_failed' });
  expect(session.state).toBe('closed');
});

test('attempts end when the time is up', async () => {
  const { hop, url } = await hopTo(await start());
  const session = await connect(url, { mode: 'encode', reconnect: { giveUpAfterMs: 300 } });
  const error = new Promise((resolve) => session.on('error', resolve));
  hop.close();
  expect(await error).toMatchObject({ code: 'connection_failed' });
});

test('the rate changes, and is told', async () => {
  const { url } = await hopTo(await start());
  const session = await connect(url, { mode: 'encode', input: { sampleRate } });
  const told = new Promise<{ quantizers: number }>((resolve) => session.on('bitrate', resolve));
  session.setBitrate({ maxQuantizers: 2 });
  session.send(samples.subarray(0, sampleRate));
  expect((await told).quantizers).toBe(2);
  await session.flush();
  expect(session.bitrate.quantizers).toBe(2);
  await session.close();
});

test('tokens decode to the length of what was encoded', async () => {
  const { url } = await hopTo(await start());
  const encoder = await connect(url, { mode: 'encode', input: { sampleRate } });
  const decoder = await connect(url, { mode: 'decode' });
  let count = 0;
  decoder.on('audio', ({ samples: piece }) => (count += piece.length));
  encoder.on('tokens', (block) => decoder.sendTokens(block));
  encoder.send(samples);
  const totals = await encoder.flush();
  await decoder.flush();
  const { hop, decoderDelaySamples } = decoder.model;
  expect(count).toBe(totals.frames * hop - decoderDelaySamples);
  await Promise.all([encoder.close(), decoder.close()]);
});
