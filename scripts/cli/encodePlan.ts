import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, join, relative, resolve, sep } from 'node:path';
import { TesseraError } from '../../protocol/errors.js';
import { readFailure } from './fileErrors.js';
import type { TokenFormat } from './tokenFormats.js';

/** One recording to encode. */
export interface EncodeTask {
  /** A path, or `-` for standard input. */
  readonly input: string;
  /** The path within what was named on the command line: no folder of this machine gets into the output. */
  readonly source: string;
  /** `source` without its extension, where that is unique. */
  readonly id: string;
  /** Its own file; undefined where all recordings share one. */
  readonly output: string | undefined;
}

/** What a command line comes to. */
export interface EncodePlan {
  readonly tasks: readonly EncodeTask[];
  /** Inputs that cannot be encoded: they fail, the others go on. */
  readonly failures: readonly { readonly input: string; readonly error: TesseraError }[];
  /** The one file that all recordings go to, if so. */
  readonly sharedOutput: string | undefined;
  /** Whether outputs lie in folders that mirror the inputs' and may have to be made. */
  readonly isTree: boolean;
}

/** Files of a directory that count as recordings; files that are named themselves may be called anything. */
const AUDIO_EXTENSIONS = new Set(
  [
    '.wav .wave .w64 .flac .ogg .oga .opus .mp3 .m4a .mp4 .mov .aac .aif .aiff .aifc .au .snd .caf .webm .mkv .mka',
  ]
    .concat('.wma .amr .ac3 .alac .ape .wv .sph')
    .flatMap((names) => names.split(' ')),
);

interface Recording {
  readonly input: string;
  readonly source: string;
}

/**
 * Finds the recordings that `inputs` name and the file that each one goes to.
 *
 * One file goes to `output`. Several, or a directory, go to files of the same names in the directory `output`; with
 * `jsonl` they become lines of one file, unless `output` is a directory.
 * @throws TesseraError `usage` where the command line contradicts itself, `file_error` where `output` cannot be so.
 */
export async function planEncoding(
  inputs: readonly string[],
  output: string,
  format: TokenFormat,
): Promise<EncodePlan> {
  if (inputs.filter((input) => input === '-').length > 1) throw usage('standard input can be read only once');
  const failures: { input: string; error: TesseraError }[] = [];
  const recordings: Recording[] = [];
  let isMany = inputs.length > 1;
  for (const input of inputs) {
    try {
      if (input === '-') recordings.push({ input, source: 'stdin' });
      else if ((await stat(input)).isDirectory()) {
        isMany = true;
        const found = await findRecordings(input, (path, error) => failures.push({ input: path, error }));
        if (found.length === 0) throw new TesseraError('file_error', `${input}: it holds no recordings`);
        // Several directories stay apart, as cp -r keeps them.
        const prefix = inputs.length > 1 ? basename(resolve(input)) : '';
        recordings.push(
          ...found.map((path) => ({ input: path, source: join(prefix, relative(input, path)) })),
        );
      } else recordings.push({ input, source: basename(input) });
    } catch (error) {
      failures.push({ input, error: readFailure(error, input) });
    }
  }

  const outputKind = await kindOfOutput(output);
  const isShared = format === 'jsonl' && outputKind !== 'directory';
  if (isMany && !isShared) {
    if (output === '-') {
      throw usage('several recordings cannot go to standard output: give a directory, or --format jsonl');
    }
    if (outputKind === 'file') {
      throw new TesseraError('file_error', `${output}: several recordings need a directory, this is a file`);
    }
  }
  const isTree = outputKind === 'directory' || (isMany && !isShared);
  const tasks = nameTasks(recordings, (id) =>
    isShared ? undefined : isTree ? join(output, `${id}.${format}`) : output,
  );
  for (const { input, output: path = output } of tasks) {
    if (path !== '-' && input !== '-' && resolve(path) === resolve(input)) {
      throw usage(`${input} would be written over by its own tokens: choose another output`);
    }
  }
  return { tasks, failures, sharedOutput: isShared ? output : undefined, isTree };
}

/** Names each recording by its path without the extension; where two would be the same, with it. */
function nameTasks(
  recordings: readonly Recording[],
  outputOf: (id: string) => string | undefined,
): EncodeTask[] {
  const shortIds = recordings.map(({ source }) =>
    posix(source.slice(0, source.length - extname(source).length)),
  );
  const counts = new Map<string, number>();
  for (const id of shortIds) counts.set(id, (counts.get(id) ?? 0) + 1);
  const inputOfId = new Map<string, string>();
  return recordings.map(({ input, source }, index) => {
    const shortId = shortIds[index] ?? source;
    const id = counts.get(shortId) === 1 ? shortId : posix(source);
    const other = inputOfId.get(id);
    if (other !== undefined) {
      throw usage(`${other} and ${input} would have the same name in the output: encode them one by one`);
    }
    inputOfId.set(id, input);
    return { input, source: posix(source), id, output: outputOf(id) };
  });
}

async function kindOfOutput(output: string): Promise<'directory' | 'file' | 'new'> {
  if (output === '-') return 'file';
  if (/[/\\]$/.test(output)) return 'directory';
  const stats = await stat(output).catch(() => undefined);
  return stats === undefined ? 'new' : stats.isDirectory() ? 'directory' : 'file';
}

/** The recordings below a directory, sorted by path; hidden files and folders are left out, links are followed. */
async function findRecordings(
  root: string,
  onError: (path: string, error: TesseraError) => void,
): Promise<string[]> {
  const found: string[] = [];
  const visited = new Set<string>();
  const visit = async (folder: string): Promise<void> => {
    const place = await realpath(folder);
    if (visited.has(place)) return;
    visited.add(place);
    const names = (await readdir(folder)).filter((name) => !name.startsWith('.'));
    for (const name of names.sort()) {
      const path = join(folder, name);
      try {
        const stats = await stat(path);
        if (stats.isDirectory()) await visit(path);
        else if (AUDIO_EXTENSIONS.has(extname(name).toLowerCase())) found.push(path);
      } catch (error) {
        onError(path, readFailure(error, path));
      }
    }
  };
  await visit(root);
  return found;
}

function posix(path: string): string {
  return sep === '/' ? path : path.split(sep).join('/');
}

function usage(message: string): TesseraError {
  return new TesseraError('usage', message);
}
