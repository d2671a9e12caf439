/**
 * How long one live session waits on an idle machine: `npm run bench:latency [-- --sessions 20] [--seconds 4]`.
 * The server runs in a process of its own; sessions come one after the other.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CodecModel, delayMs, readAudio, StreamingDecoder, StreamingEncoder } from '../../codec/index.js';
import { MODEL_OPTION } from './benchOptions.js';
import { LiveSession } from './liveSession.js';
import { describeCommand, describeMachine, percentile } from './machine.js';
import { ServerProcess } from './serverProcess.js';

const SPEECH = fileURLToPath(new URL('../../../test/fixtures/speech-en-1.wav', import.meta.url));

const { values: options } = parseArgs({
  options: {
    ...MODEL_OPTION,
    sessions: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '4' },
  },
});

interface Row {
  readonly name: string;
  readonly values: readonly number[];
}

/** First and later frames of sessions that follow each other. */
async function measureSessions(
  url: string,
  mode: 'encode' | 'resynth',
  speech: Float32Array,
  sampleRate: number,
): Promise<Row[]> {
  const first: number[] = [];
  const steady: number[] = [];
  for (let count = Number(options.sessions); count > 0; count -= 1) {
    const session = await LiveSession.open(url, mode, speech, sampleRate);
    await session.stream(1000 * Number(options.seconds));
    const [firstMs, ...rest] = session.latenciesMs;
    if (firstMs !== undefined) first.push(firstMs);
    steady.push(...rest);
    await session.close();
  }
  const output = mode === 'encode' ? 'tokens' : 'audio';
  return [
    { name: `${mode}: first 20 ms sent to first ${output} received`, values: first },
    { name: `${mode}: later frames`, values: steady },
  ];
}

/** Seconds of speech that one thread encodes and decodes in a second, at one frame a run. */
async function measureSpeed(model: CodecModel, speech: Float32Array): Promise<number> {
  const { hop, sampleRate } = model.manifest;
  const encoder = new StreamingEncoder(model);
  const decoder = new StreamingDecoder(model);
  const step = async (frame: number): Promise<void> => {
    const block = await encoder.push(speech.subarray(frame * hop, (frame + 1) * hop));
    if (block) await decoder.push(block);
  };
  const frames = Math.floor(speech.length / hop);
  const warmUp = 20;
  for (let frame = 0; frame < warmUp; frame += 1) await step(frame);
  const startMs = performance.now();
  for (let frame = warmUp; frame < frames; frame += 1) await step(frame);
  return (((frames - warmUp) * hop) / sampleRate / (performance.now() - startMs)) * 1000;
}

async function main(): Promise<void> {
  const model = await CodecModel.load({ model: options.model, provider: 'cpu', threads: 1 });
  const { manifest } = model;
  const speech = await readAudio(SPEECH, { sampleRate: manifest.sampleRate });
  const realTimeFactor = await measureSpeed(model, speech);
  await model.close();
  const server = await ServerProcess.start(['--model', options.model]);
  try {
    const rows = [
      ...(await measureSessions(server.url, 'encode', speech, manifest.sampleRate)),
      ...(await measureSessions(server.url, 'resynth', speech, manifest.sampleRate)),
    ];
    const cell = (value: number): string => value.toFixed(1);
    console.log(
      `${describeMachine()}\n${describeCommand('bench:latency')}\n${manifest.name} ${manifest.version}\n`,
    );
    console.log('| milliseconds | frames | median | 95% | 99% | most |\n|---|---|---|---|---|---|');
    for (const { name, values } of rows) {
      const shares = [0.5, 0.95, 0.99, 1].map((share) => cell(percentile(values, share)));
      console.log(`| ${name} | ${values.length} | ${shares.join(' | ')} |`);
    }
    console.log(
      `\nThe algorithmic delay of ${delayMs(manifest)} ms is not in these figures: they begin when a frame is complete.`,
    );
    console.log(
      `Encode + decode, one frame a run, one thread, cpu provider: ${realTimeFactor.toFixed(1)} times real time.`,
    );
  } finally {
    await server.stop();
  }
}

await main();
