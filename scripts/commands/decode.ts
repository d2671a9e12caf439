import type { Command } from 'commander';
import { CodecModel, decodeTokens, openAudioSink, type AudioSink } from '../../codec/index.js';
import { TesseraError, type ContainerTrailer, type TokenBlock } from '../../protocol/index.js';
import { readEvents } from '../cli/codedFile.js';
import { ContainerFile, readTrailer } from '../cli/containerFile.js';
import type { CliContext } from '../cli/context.js';
import { addModelOptions, integer, toLoadOptions, type ModelOptions } from '../cli/options.js';
import { Progress } from '../cli/progress.js';
import { cutToLength } from '../cli/soundLength.js';

interface DecodeOptions extends ModelOptions {
  readonly output: string;
  readonly quantizers?: number;
  readonly strict?: boolean;
}

const HELP = `
Output: WAV (16 bit, mono, at the model's rate) for .wav, no extension and -; for other extensions what ffmpeg writes,
such as .flac and .opus. The sound is exactly as long as the recording that was encoded.

A file that is cut off decodes up to the cut, with a warning; the exit code is 0, or 1 with --strict. A damaged file is
refused: the error names the packet and its place. Tokens can be decoded only with the model that made them.

Examples:
  tessera decode speech.tsr -o speech.wav
  tessera decode speech.tsr -o preview.opus --quantizers 2
  tessera decode speech.tsr -o - | aplay`;

/** Adds `tessera decode`. */
export function addDecodeCommand(program: Command, context: CliContext): void {
  const command = program
    .command('decode')
    .summary('turn tokens back into speech')
    .description('Turn tokens back into speech.')
    .argument('<input>', 'a .tsr file, or - for standard input')
    .requiredOption('-o, --output <path>', 'recording to write, or - for WAV on standard output')
    .option('--quantizers <count>', 'codebooks to use (default: all that the file has)', integer(1))
    .option('--strict', 'fail, and write nothing, where the file is cut off');
  addModelOptions(command)
    .addHelpText('after', HELP)
    .action(async (input: string, options: DecodeOptions) => {
      await runDecode(input, options, context);
    });
}

async function runDecode(input: string, options: DecodeOptions, context: CliContext): Promise<void> {
  const { reporter, interruption } = context;
  interruption.listen();
  const file = await ContainerFile.open(input);
  try {
    const quantizers = chooseQuantizers(options.quantizers, file);
    const trailer = await readTrailer(input);
    const model = await CodecModel.load(toLoadOptions(options));
    checkModel(file, model);
    const opening = openAudioSink(options.output, { sampleRate: file.header.sampleRate });
    // Registered before its file is there: a signal between the two would leave that.
    const forget = interruption.onSignal(async () => (await opening).abort());
    const sink = await opening;
    const progress = new Progress(reporter, 1);
    try {
      await decodeInto(sink, file, trailer, { model, modelName: options.model, quantizers, progress });
      if (options.strict === true && file.truncation !== undefined) throw file.truncation;
      await sink.finish();
    } finally {
      progress.stop();
      // Does nothing after the sink was finished.
      await sink.abort();
      forget();
      await model.close();
    }
    if (file.truncation !== undefined) reporter.warning(file.truncation);
  } finally {
    file.close();
  }
}

function chooseQuantizers(asked: number | undefined, { name, header }: ContainerFile): number {
  if (asked === undefined || asked <= header.quantizers) return asked ?? header.quantizers;
  throw new TesseraError(
    'bad_options',
    `${name}: --quantizers is ${asked}, but the file has ${header.quantizers}`,
  );
}

function checkModel({ name, header }: ContainerFile, model: CodecModel): void {
  if (model.decodes(header.modelDigest)) return;
  const { summary } = model;
  throw new TesseraError(
    'model_mismatch',
    `${name}: its tokens were made with the model ${header.modelName} ${header.modelVersion} (digest ` +
      `${header.modelDigest}); this one is ${summary.name} ${summary.version} (digest ${summary.digest}). ` +
      'Give that model with --model',
  );
}

/** How a file is decoded. */
interface DecodeJob {
  readonly model: CodecModel;
  /** Its name or folder. */
  readonly modelName: string | undefined;
  readonly quantizers: number;
  readonly progress: Progress;
}

async function decodeInto(
  sink: AudioSink,
  file: ContainerFile,
  trailer: ContainerTrailer | undefined,
  { model, modelName, quantizers, progress }: DecodeJob,
): Promise<void> {
  const { header } = file;
  let sampleCount = trailer?.sampleCount ?? header.sampleCount;
  async function* blocks(): AsyncGenerator<TokenBlock> {
    for await (const event of readEvents(file, modelName)) {
      if (event.kind === 'tokens') yield event.block;
      else if (event.kind === 'gap') yield endOfGap(event.gap);
      else if (event.kind === 'end') sampleCount = event.trailer.sampleCount ?? sampleCount;
    }
  }
  const decoded = decodeTokens(model, blocks(), { quantizers });
  let samples = 0;
  for await (const pcm of cutToLength(decoded, header.hop, () => sampleCount)) {
    await sink.write(pcm);
    samples += pcm.length;
    const total = sampleCount ?? (trailer?.frameCount ?? Infinity) * header.hop;
    progress.reach(samples / total, samples / header.sampleRate);
  }
  if (samples > (sampleCount ?? Infinity)) {
    throw new TesseraError(
      'bad_container',
      `${file.name}: only its end says that its sound has ${sampleCount} samples, when more were written: ` +
        'decode it from a file instead of a pipe',
    );
  }
  if (samples === 0 && file.truncation !== undefined) throw file.truncation;
}

/** A block of no frames behind a gap: `decodeTokens` conceals what is missing before it. */
function endOfGap({
  firstFrameIndex,
  frameCount,
}: {
  firstFrameIndex: number;
  frameCount: number;
}): TokenBlock {
  return {
    firstFrameIndex: firstFrameIndex + frameCount,
    frameCount: 0,
    quantizers: 1,
    codes: new Uint16Array(0),
  };
}
