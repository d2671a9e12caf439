/**
 * How much of recorded speech the model keeps: `npm run bench:quality -- RECORDINGS… [--quantizers 1,3,6,12]`.
 * Files and directories; whole recordings through the shipped graphs, scored against themselves.
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import {
  CodecModel,
  decodeTokens,
  encodePcm,
  readAudio,
  scoreSpeech,
  type SpeechScores,
} from '../../codec/index.js';
import { bitsPerSecond, type TokenBlock } from '../../protocol/index.js';
import { planEncoding } from '../cli/encodePlan.js';
import { MODEL_OPTION } from './benchOptions.js';
import { describeCommand, describeMachine } from './machine.js';

const COLUMNS = [
  ['stoi', 'STOI'],
  ['extendedStoi', 'ESTOI'],
  ['logMelDistance', 'log-mel distance'],
  ['waveformCorrelation', 'waveform correlation'],
] as const satisfies readonly (readonly [keyof SpeechScores, string])[];

/** Scores of one recording at each depth; it is encoded once, since a prefix of the codebooks is a coarser stream. */
async function scoreRecording(
  model: CodecModel,
  path: string,
  depths: readonly number[],
): Promise<SpeechScores[]> {
  const { sampleRate } = model.manifest;
  const speech = await readAudio(path, { sampleRate });
  const blocks: TokenBlock[] = [];
  for await (const block of encodePcm(model, speech)) blocks.push(block);
  const scores: SpeechScores[] = [];
  for (const quantizers of depths) {
    const decoded = new Float32Array(speech.length);
    let offset = 0;
    for await (const piece of decodeTokens(model, blocks, { quantizers, sampleCount: speech.length })) {
      decoded.set(piece, offset);
      offset += piece.length;
    }
    scores.push(scoreSpeech(speech, decoded, sampleRate));
  }
  return scores;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ...MODEL_OPTION, quantizers: { type: 'string', default: '1,3,6,12' } },
  });
  const depths = values.quantizers.split(',').map(Number);
  const { tasks, failures } = await planEncoding(positionals, tmpdir(), 'tsr');
  for (const { error } of failures) console.error(error.message);
  const model = await CodecModel.load({ model: values.model, provider: 'cpu' });
  const results: SpeechScores[][] = [];
  for (const { input } of tasks) results.push(await scoreRecording(model, input, depths));
  const { name, version } = model.manifest;
  console.log(
    `${describeMachine()}\n${describeCommand('bench:quality')}\n${name} ${version}, ${results.length} recordings, means\n`,
  );
  console.log(`| quantizers | kbit/s | ${COLUMNS.map(([, title]) => title).join(' | ')} |`);
  console.log(`|${'---|'.repeat(COLUMNS.length + 2)}`);
  for (const [index, depth] of depths.entries()) {
    const cells = COLUMNS.map(([key]) => {
      const total = results.reduce((sum, scores) => sum + (scores[index]?.[key] ?? NaN), 0);
      return (total / results.length).toFixed(3);
    });
    console.log(`| ${depth} | ${bitsPerSecond(depth, model.manifest) / 1000} | ${cells.join(' | ')} |`);
  }
  await model.close();
}

await main();
