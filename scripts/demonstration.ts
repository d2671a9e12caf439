import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  type CodecModel,
  decodeWhole,
  encodePcm,
  readAudio,
  scoreSpeech,
  writeAudio,
  type SpeechScores,
} from '../codec/index.js';
import { ContainerWriter, resolveBitrate, type TokenBlock } from '../protocol/index.js';
import { containerHeader } from './cli/tokenFormats.js';

/** A quarter, half and all of the bundled model's codebooks. */
const BITRATES_KBPS = [1.5, 3, 6] as const;
const PCM_BYTES_PER_SAMPLE = 2;

/** What one bitrate comes to. */
interface Trial {
  readonly kbps: number;
  readonly fileBytes: number;
  readonly scores: SpeechScores;
  readonly encodeSeconds: number;
  readonly decodeSeconds: number;
}

/**
 * Sends a recording through the codec at three bitrates and writes `original.wav`, and a `.tsr` and a `.wav` file for
 * each bitrate, to `folder`.
 * @returns a table of sizes, scores and speeds, as text.
 */
export async function demonstrate(model: CodecModel, recording: string, folder: string): Promise<string> {
  const { sampleRate } = model.manifest;
  const speech = await readAudio(recording, { sampleRate });
  await mkdir(folder, { recursive: true });
  await copyFile(recording, join(folder, 'original.wav'));
  // The first runs plan their memory, which would count as the first bitrate's time.
  const warmUp = await encode(model, speech, BITRATES_KBPS[0]);
  await decode(model, warmUp.blocks, speech.length);

  const trials: Trial[] = [];
  for (const kbps of BITRATES_KBPS) {
    const encoded = await encode(model, speech, kbps);
    const decoded = await decode(model, encoded.blocks, speech.length);
    const path = join(folder, `speech-${kbps}kbps`);
    await writeFile(`${path}.tsr`, encoded.file);
    await writeAudio(`${path}.wav`, decoded.pcm, { sampleRate });
    trials.push({
      kbps,
      fileBytes: encoded.file.length,
      scores: scoreSpeech(speech, decoded.pcm, sampleRate),
      encodeSeconds: encoded.seconds,
      decodeSeconds: decoded.seconds,
    });
  }
  const title = `${basename(recording)}: ${(speech.length / sampleRate).toFixed(2)} s of speech at ${sampleRate} Hz`;
  return `${title}, model ${model.manifest.name} ${model.manifest.version} on ${model.provider}\n\n${table(trials, speech.length, sampleRate)}`;
}

async function encode(
  model: CodecModel,
  speech: Float32Array,
  kbps: number,
): Promise<{ blocks: TokenBlock[]; file: Uint8Array; seconds: number }> {
  const { summary } = model;
  const { maxQuantizers: quantizers } = resolveBitrate({ maxBitsPerSecond: kbps * 1000 }, summary);
  const startedAt = performance.now();
  const blocks: TokenBlock[] = [];
  for await (const block of encodePcm(model, speech, { quantizers })) blocks.push(block);
  const seconds = (performance.now() - startedAt) / 1000;
  const writer = new ContainerWriter(containerHeader(summary, quantizers, {}));
  const file = [
    writer.begin(),
    ...blocks.map((block) => writer.tokens(block)),
    writer.finish({ sampleCount: speech.length }),
  ];
  return { blocks, file: Buffer.concat(file), seconds };
}

async function decode(
  model: CodecModel,
  blocks: readonly TokenBlock[],
  sampleCount: number,
): Promise<{ pcm: Float32Array; seconds: number }> {
  const startedAt = performance.now();
  const pcm = await decodeWhole(model, blocks, sampleCount);
  return { pcm, seconds: (performance.now() - startedAt) / 1000 };
}

function table(trials: readonly Trial[], sampleCount: number, sampleRate: number): string {
  const soundSeconds = sampleCount / sampleRate;
  const rows = trials.map(({ kbps, fileBytes, scores, encodeSeconds, decodeSeconds }) => [
    `${kbps} kbit/s`,
    `${fileBytes} bytes`,
    `${((8 * fileBytes) / soundSeconds / 1000).toFixed(2)} kbit/s`,
    `${((PCM_BYTES_PER_SAMPLE * sampleCount) / fileBytes).toFixed(0)} : 1`,
    scores.stoi.toFixed(3),
    scores.logMelDistance.toFixed(3),
    scores.waveformCorrelation.toFixed(3),
    `${(soundSeconds / encodeSeconds).toFixed(1)}x`,
    `${(soundSeconds / decodeSeconds).toFixed(1)}x`,
  ]);
  const head = [
    'bitrate',
    'file',
    'with headers',
    'to PCM',
    'STOI',
    'log-mel',
    'correlation',
    'encode',
    'decode',
  ];
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  ');
  return `${[head, ...rows].map(line).join('\n')}

bitrate: of the codes alone; to PCM: how much smaller than 16-bit PCM at the same rate
STOI: intelligibility, 1 at best; log-mel: spectral distance, 0 at best; correlation: of the waveforms, 1 at best
encode, decode: times faster than real time, on one thread where the provider is cpu
`;
}
