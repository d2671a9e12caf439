import { mkdir } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { CodecModel, encodePcm, openAudio, type AudioInfo, type AudioSource } from '../../codec/index.js';
import type { EntropyTables } from '../../codec/entropy/index.js';
import { loadEntropyTables } from '../../codec/entropyTables.js';
import {
  CODINGS,
  DEPTHS,
  resolveBitrate,
  TesseraError,
  type Coding,
  type Depth,
} from '../../protocol/index.js';
import { guarded, openByteSink } from '../cli/byteSink.js';
import type { ByteSink } from '../cli/byteSink.js';
import type { CliContext } from '../cli/context.js';
import { planEncoding } from '../cli/encodePlan.js';
import type { EncodePlan, EncodeTask } from '../cli/encodePlan.js';
import { addModelOptions, integer, positiveNumber, toLoadOptions } from '../cli/options.js';
import type { ModelOptions } from '../cli/options.js';
import { packetsOf } from '../cli/packets.js';
import { Progress } from '../cli/progress.js';
import { EXIT } from '../cli/report.js';
import { openTokenSink, TOKEN_FORMATS } from '../cli/tokenFormats.js';
import type { TokenFormat } from '../cli/tokenFormats.js';

interface EncodeOptions extends ModelOptions {
  readonly output: string;
  readonly kbps?: number;
  readonly quantizers?: number;
  readonly format?: TokenFormat;
  readonly depth?: Depth;
  readonly coding?: Coding;
}

/** The bitrate where none is asked for. */
const DEFAULT_KBPS = 3;

const HELP = `
Inputs are recordings in any format (WAV is read here, everything else by ffmpeg), directories, which are searched for
recordings, and - for standard input. A file that cannot be encoded is reported, and the others go on.

Output: one recording goes to the file OUT, or to standard output with -. Several, or a directory, go to the directory
OUT under their own names; with jsonl they become the lines of one file. Files appear when they are complete.

Formats:
  tsr    the container of Tessera: streamable, checked, decodable
  npy    NumPy array, uint16, shape [quantizers, frames]
  jsonl  JSON Lines, one recording a line: id, source, durationSeconds, frameRate, model... and codes, a list of
         frames for each quantizer

Examples:
  tessera encode speech.wav -o speech.tsr
  tessera encode recordings/ -o tokens/ --kbps 6
  tessera encode recordings/ -o train.jsonl --quantizers 8
  arecord -f S16_LE -r 24000 | tessera encode - -o - | tessera decode - -o heard.wav`;

/** Adds `tessera encode`. */
export function addEncodeCommand(program: Command, context: CliContext): void {
  const command = program
    .command('encode')
    .summary('turn recordings into tokens')
    .description('Turn recordings into tokens.')
    .argument('<inputs...>', 'recordings, directories of them, or - for standard input')
    .requiredOption('-o, --output <path>', 'file or directory to write, or - for standard output')
    .addOption(
      new Option('--kbps <rate>', 'highest bitrate of the codes in kbit/s')
        .argParser(positiveNumber)
        .conflicts('quantizers'),
    )
    .addOption(
      new Option(
        '--quantizers <count>',
        `codebooks to keep (default: as many as fit into ${DEFAULT_KBPS} kbit/s)`,
      ).argParser(integer(1)),
    )
    .addOption(
      new Option(
        '--depth <depth>',
        'fixed: all frames keep these codebooks; adaptive: pauses and easy frames fewer (tsr only; more packets, so files do not shrink)',
      )
        .choices([...DEPTHS])
        .default('fixed'),
    )
    .addOption(
      new Option('--coding <coding>', 'packed: codes at their full width; entropy: smaller, in tsr only')
        .choices([...CODINGS])
        .default('packed'),
    )
    .addOption(
      new Option('--format <format>', 'what to write (default: by the extension of OUT, else tsr)').choices([
        ...TOKEN_FORMATS,
      ]),
    );
  addModelOptions(command)
    .addHelpText('after', HELP)
    .action(async (inputs: string[], options: EncodeOptions) => {
      process.exitCode = await runEncode(inputs, options, context);
    });
}

/** What all recordings of a run have in common. */
interface EncodeJob {
  readonly model: CodecModel;
  readonly quantizers: number;
  readonly depth: Depth;
  readonly format: TokenFormat;
  readonly entropyTables: EntropyTables | undefined;
  readonly isTree: boolean;
  readonly context: CliContext;
  readonly progress: Progress;
}

async function runEncode(inputs: string[], options: EncodeOptions, context: CliContext): Promise<number> {
  const { reporter, interruption } = context;
  interruption.listen();
  const format = options.format ?? formatOf(options.output);
  const { depth = 'fixed' } = options;
  if (depth === 'adaptive' && format !== 'tsr') {
    throw new TesseraError(
      'bad_options',
      `--depth adaptive cannot be written as ${format}: its rows are of one length`,
    );
  }
  if (options.coding === 'entropy' && format !== 'tsr') {
    throw new TesseraError(
      'bad_options',
      `--coding entropy is for tsr; ${format} holds the codes themselves`,
    );
  }
  const plan = await planEncoding(inputs, options.output, format);
  for (const { input, error } of plan.failures) reporter.error(error, input);
  if (plan.tasks.length === 0) return EXIT.failure;

  const model = await CodecModel.load(toLoadOptions(options));
  const quantizers = chooseQuantizers(options, model);
  const progress = new Progress(reporter, plan.tasks.length);
  const entropyTables = options.coding === 'entropy' ? await tablesOf(options) : undefined;
  const job = { model, quantizers, depth, format, entropyTables, isTree: plan.isTree, context, progress };
  let failed = plan.failures.length;
  try {
    failed += await encodeAll(plan, job);
  } finally {
    progress.stop();
    await model.close();
  }
  const total = plan.failures.length + plan.tasks.length;
  if (failed > 0 && total > 1 && !interruption.happened) reporter.note(`${failed} of ${total} inputs failed`);
  return failed > 0 ? EXIT.failure : EXIT.ok;
}

async function tablesOf({ model }: EncodeOptions): Promise<EntropyTables> {
  const tables = await loadEntropyTables(model);
  if (tables) return tables;
  throw new TesseraError('bad_options', 'This model has no entropy tables: use --coding packed');
}

function formatOf(output: string): TokenFormat {
  return TOKEN_FORMATS.find((format) => extname(output).toLowerCase() === `.${format}`) ?? 'tsr';
}

function chooseQuantizers({ kbps = DEFAULT_KBPS, quantizers }: EncodeOptions, model: CodecModel): number {
  const { summary } = model;
  if (quantizers === undefined) {
    return resolveBitrate({ maxBitsPerSecond: kbps * 1000 }, summary).maxQuantizers;
  }
  if (quantizers <= summary.quantizers) return quantizers;
  throw new TesseraError(
    'bad_options',
    `--quantizers is ${quantizers}, but the model ${summary.name} has ${summary.quantizers}`,
  );
}

/** Encodes one recording after the other. @returns how many failed. */
async function encodeAll({ tasks, sharedOutput }: EncodePlan, job: EncodeJob): Promise<number> {
  const { reporter, interruption } = job.context;
  const shared = sharedOutput === undefined ? undefined : await openByteSink(sharedOutput, interruption);
  let failed = 0;
  for (const task of tasks) {
    try {
      await encodeTask(task, shared, job);
    } catch (error) {
      // After a signal, errors only come from files that were taken away.
      if (interruption.happened) return failed;
      failed++;
      reporter.error(error, nameOf(task));
    }
    job.progress.fileDone();
  }
  if (interruption.happened) return failed;
  if (failed < tasks.length) await shared?.commit();
  else await shared?.discard();
  return failed;
}

async function encodeTask(task: EncodeTask, shared: ByteSink | undefined, job: EncodeJob): Promise<void> {
  const source = await openAudio(task.input, {
    sampleRate: job.model.manifest.sampleRate,
    name: nameOf(task),
  });
  const { interruption } = job.context;
  const forget = interruption.onSignal(() => source.close());
  try {
    if (shared !== undefined) {
      await encodeInto(shared, source, task, job);
      return;
    }
    const target = await openTarget(task, job);
    try {
      await encodeInto(target, source, task, job);
      await target.commit();
    } finally {
      await target.discard();
    }
  } finally {
    forget();
    await source.close();
  }
}

async function openTarget({ output = '-' }: EncodeTask, { context, isTree }: EncodeJob): Promise<ByteSink> {
  if (isTree) await guarded(output, () => mkdir(dirname(output), { recursive: true }));
  return openByteSink(output, context.interruption);
}

async function encodeInto(
  target: ByteSink,
  source: AudioSource,
  task: EncodeTask,
  { model, quantizers, depth, format, entropyTables, context, progress }: EncodeJob,
): Promise<void> {
  const { sampleRate, hop, frameRate } = model.summary;
  const utterance = {
    id: task.id,
    source: task.source,
    quantizers,
    model: model.summary,
    metadata: describeSource(task, source.info),
    entropyTables,
  };
  const encoded = encodePcm(model, packetsOf(source, Math.round(frameRate) * hop), {
    quantizers,
    depth,
  });
  const sink = await openTokenSink(format, utterance, target, context.interruption);
  try {
    for await (const block of encoded) {
      await sink.write(block);
      const { durationSeconds } = source.info;
      const seconds = encoded.totals.sampleCount / sampleRate;
      progress.reach(durationSeconds === undefined ? 0 : seconds / durationSeconds, seconds);
    }
    await sink.finish(encoded.totals.sampleCount);
  } finally {
    await sink.close();
  }
}

function describeSource({ source }: EncodeTask, info: AudioInfo): Record<string, string> {
  return {
    source,
    container: info.container,
    codec: info.codec,
    sampleRate: String(info.sampleRate),
    channels: String(info.channels),
  };
}

function nameOf({ input }: EncodeTask): string {
  return input === '-' ? 'standard input' : input;
}
