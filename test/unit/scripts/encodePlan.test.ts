import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planEncoding } from '../../../scripts/cli/encodePlan.js';

let folder: string;
const at = (...names: string[]): string => join(folder, ...names);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-test-'));
  for (const path of [
    'a/x.wav',
    'a/sub/y.FLAC',
    'a/.hidden.wav',
    'a/.git/z.wav',
    'a/notes.txt',
    'b/x.wav',
    'b/x.mp3',
  ]) {
    await mkdir(join(at(path), '..'), { recursive: true });
    await writeFile(at(path), '');
  }
  await mkdir(at('empty'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Input and output of each task, relative to the folder. */
async function plan(
  inputs: string[],
  output: string,
  format: 'tsr' | 'npy' | 'jsonl' = 'tsr',
): Promise<[string, string | undefined][]> {
  const { tasks } = await planEncoding(
    inputs.map((input) => at(input)),
    output === '-' ? '-' : at(output),
    format,
  );
  const short = (path: string | undefined): string | undefined => path?.replace(`${folder}/`, '');
  return tasks.map((task) => [short(task.input) ?? '', short(task.output)]);
}

describe('planEncoding', () => {
  test('gives one file the output, or a place in it where that is a directory', async () => {
    expect(await plan(['a/x.wav'], 'out.tsr')).toEqual([['a/x.wav', 'out.tsr']]);
    expect(await plan(['a/x.wav'], 'empty')).toEqual([['a/x.wav', 'empty/x.tsr']]);
    expect(await plan(['a/x.wav'], '-')).toEqual([['a/x.wav', '-']]);
    expect((await planEncoding([at('a/x.wav')], `${at('new')}/`, 'npy')).tasks[0]?.output).toBe(
      at('new/x.npy'),
    );
  });

  test('mirrors a directory, without hidden files and what is no recording', async () => {
    expect(await plan(['a'], 'out')).toEqual([
      ['a/sub/y.FLAC', 'out/sub/y.tsr'],
      ['a/x.wav', 'out/x.tsr'],
    ]);
  });

  test('keeps several directories apart, and files of one name', async () => {
    expect(await plan(['a', 'b'], 'out', 'npy')).toEqual([
      ['a/sub/y.FLAC', 'out/a/sub/y.npy'],
      ['a/x.wav', 'out/a/x.npy'],
      ['b/x.mp3', 'out/b/x.mp3.npy'],
      ['b/x.wav', 'out/b/x.wav.npy'],
    ]);
    await expect(plan(['a/x.wav', 'b/x.wav'], 'out')).rejects.toMatchObject({ code: 'usage' });
  });

  test('shares one file of JSON Lines, unless the output is a directory', async () => {
    expect(await plan(['a', 'b/x.mp3'], 'out.jsonl', 'jsonl')).toEqual([
      ['a/sub/y.FLAC', undefined],
      ['a/x.wav', undefined],
      ['b/x.mp3', undefined],
    ]);
    expect(await plan(['a/x.wav'], 'empty', 'jsonl')).toEqual([['a/x.wav', 'empty/x.jsonl']]);
  });

  test('lists what cannot be read, and goes on', async () => {
    const { tasks, failures } = await planEncoding(
      [at('none'), at('empty'), at('a/x.wav')],
      at('out'),
      'tsr',
    );
    expect(tasks.map(({ output }) => output)).toEqual([at('out/x.tsr')]);
    expect(failures.map(({ input, error }) => [input, error.code])).toEqual([
      [at('none'), 'file_error'],
      [at('empty'), 'file_error'],
    ]);
  });

  test('refuses to write over its input, or many recordings into one file', async () => {
    await expect(plan(['a/x.wav'], 'a/x.wav')).rejects.toMatchObject({ code: 'usage' });
    await expect(plan(['a'], '-')).rejects.toMatchObject({ code: 'usage' });
    await expect(plan(['a'], 'a/x.wav')).rejects.toMatchObject({ code: 'file_error' });
    await expect(planEncoding(['-', '-'], at('out'), 'tsr')).rejects.toMatchObject({ code: 'usage' });
  });
});
