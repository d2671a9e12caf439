import type { Command } from 'commander';
import { bitsPerCode, type ContainerHeader } from '../../protocol/index.js';
import { readEvents } from '../cli/codedFile.js';
import { ContainerFile } from '../cli/containerFile.js';
import type { CliContext } from '../cli/context.js';
import { TokenStatistics, type CodebookUse } from '../cli/tokenStatistics.js';

const HELP = `
A file that is cut off is described up to the cut, with a warning ("truncated": true in JSON). A damaged file is
refused.

Bitrates count the codes alone, and the whole file with its headers and checksums. The entropy of a codebook is that of
the distribution of its codes in this file, in bits a code.`;

/** Adds `tessera inspect`. */
export function addInspectCommand(program: Command, context: CliContext): void {
  program
    .command('inspect')
    .summary('describe a file of tokens')
    .description('Describe a file of tokens: header, duration, bitrate, use of the codebooks.')
    .argument('<input>', 'a .tsr file, or - for standard input')
    .option('--json', 'print JSON')
    .option('--model <model>', 'whose entropy tables to use: a name or a folder (default: the bundled model)')
    .addHelpText('after', HELP)
    .action(async (input: string, { json, model }: { json?: boolean; model?: string }) => {
      const file = await ContainerFile.open(input);
      const report = await inspectFile(file, model);
      process.stdout.write(json === true ? `${JSON.stringify(report, null, 2)}\n` : describe(report));
      if (file.truncation !== undefined) context.reporter.warning(file.truncation);
    });
}

/** What `inspect --json` prints. */
export interface InspectReport {
  readonly file: string;
  readonly fileBytes: number;
  readonly truncated: boolean;
  readonly header: ContainerHeader & { readonly frameRate: number };
  /** Of the sound: samples where they are known, else all frames. */
  readonly durationSeconds: number;
  readonly sampleCount: number | null;
  readonly frameCount: number;
  readonly gapFrameCount: number;
  readonly packetCount: number;
  readonly bitrate: {
    /** Of the codes alone. */
    readonly codesBitsPerSecond: number;
    /** Of the whole file. */
    readonly fileBitsPerSecond: number;
    /** Of the codes if each took its codebook's entropy. */
    readonly entropyBitsPerSecond: number;
  };
  readonly codebooks: readonly CodebookUse[];
}

async function inspectFile(file: ContainerFile, model: string | undefined): Promise<InspectReport> {
  const { header } = file;
  const statistics = new TokenStatistics();
  let packetCount = 0;
  let packetOffset: number | undefined;
  let gapFrameCount = 0;
  let sampleCount = header.sampleCount;
  for await (const event of readEvents(file, model)) {
    if (event.kind === 'tokens') {
      // A coded packet comes as several blocks where its frames differ in depth.
      if (event.byteOffset !== packetOffset) packetCount++;
      packetOffset = event.byteOffset;
      statistics.add(event.block);
    } else if (event.kind === 'gap') gapFrameCount += event.gap.frameCount;
    else if (event.kind === 'end') sampleCount = event.trailer.sampleCount ?? sampleCount;
  }
  const truncated = file.truncation !== undefined;
  const frameRate = header.sampleRate / header.hop;
  const framesSeconds = file.frameCount / frameRate;
  const durationSeconds =
    sampleCount === undefined || truncated ? framesSeconds : sampleCount / header.sampleRate;
  const codebooks = statistics.codebooks();
  const entropyBits = codebooks.reduce((sum, { frames, entropyBits: bits }) => sum + frames * bits, 0);
  // The frames' time, in which the padding of the last one counts too, is what a stream would take.
  const perSecond = (bits: number): number => (framesSeconds === 0 ? 0 : bits / framesSeconds);
  return {
    file: file.name,
    fileBytes: file.bytesRead,
    truncated,
    header: { ...header, frameRate },
    durationSeconds,
    sampleCount: sampleCount ?? null,
    frameCount: file.frameCount,
    gapFrameCount,
    packetCount,
    bitrate: {
      codesBitsPerSecond: perSecond(statistics.codes * bitsPerCode(header.codebookSize)),
      fileBitsPerSecond: perSecond(8 * file.bytesRead),
      entropyBitsPerSecond: perSecond(entropyBits),
    },
    codebooks,
  };
}

function describe(report: InspectReport): string {
  const { header, bitrate } = report;
  const kbps = (bits: number): string => `${(bits / 1000).toFixed(2)} kbit/s`;
  const samples = report.sampleCount === null ? 'length in samples unknown' : `${report.sampleCount} samples`;
  const rows: [string, string][] = [
    ['file', `${report.file}, ${report.fileBytes} bytes${report.truncated ? ', cut off' : ''}`],
    ['model', `${header.modelName} ${header.modelVersion}, digest ${header.modelDigest}`],
    ['sound', `${report.durationSeconds.toFixed(3)} s, ${samples} at ${header.sampleRate} Hz`],
    ['frames', `${report.frameCount} at ${header.frameRate}/s in ${report.packetCount} packets`],
    ['gaps', `${report.gapFrameCount} frames`],
    ['quantizers', `${header.quantizers}, codebooks of ${header.codebookSize}`],
    [
      'bitrate',
      `${kbps(bitrate.codesBitsPerSecond)} of codes, ${kbps(bitrate.fileBitsPerSecond)} as a file, ` +
        `${kbps(bitrate.entropyBitsPerSecond)} by entropy`,
    ],
    ...Object.entries(header.metadata).map(([key, value]): [string, string] => [
      `  ${key}`,
      printable(value),
    ]),
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(12)} ${value}`);
  const table = report.codebooks.map(
    ({ codesUsed, entropyBits }, index) =>
      `${String(index + 1).padStart(8)}${entropyBits.toFixed(3).padStart(16)}${String(codesUsed).padStart(12)}`,
  );
  return `${[...lines, '', 'codebook  entropy (bits)  codes used', ...table].join('\n')}\n`;
}

/** Text from a file, without the control characters that a terminal would obey. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
}
