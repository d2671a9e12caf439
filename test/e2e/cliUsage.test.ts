import { readFile } from 'node:fs/promises';
import { runCli } from '../support/runCli.js';

const packageJson = new URL('../../../package.json', import.meta.url);

describe('tessera', () => {
  test('prints its version', async () => {
    const { version } = JSON.parse(await readFile(packageJson, 'utf8')) as { version: string };
    const { code, stdout, stderr } = await runCli(['--version']);
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({
      code: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
  });

  test.each([
    [['--help'], ['serve', 'encode', 'decode', 'inspect', 'Exit codes:']],
    [
      ['encode', '--help'],
      ['--output', '--kbps', '--quantizers', '--format', '--model', '--provider', 'Examples:'],
    ],
    [
      ['decode', '--help'],
      ['--output', '--quantizers', '--strict', '--model', 'Examples:'],
    ],
    [['inspect', '--help'], ['--json']],
    [
      ['serve', '--help'],
      ['--port', '--host', '--model', '--provider'],
    ],
  ])('explains itself: %j', async (args, words) => {
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of words) expect(stdout.toString()).toContain(word);
    for (const line of stdout.toString().split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  test('shows the help on standard error when it is told nothing', async () => {
    const { code, stdout, stderr } = await runCli([]);
    expect({ code, stdout: stdout.length }).toEqual({ code: 2, stdout: 0 });
    expect(stderr).toContain('Usage: tessera');
  });

  test.each([
    [['transmogrify'], "unknown command 'transmogrify'"],
    [['encode', '-o', 'x'], "missing required argument 'inputs'"],
    [['encode', 'x.wav'], "required option '-o, --output <path>' not specified"],
    [['encode', 'x.wav', '-o', 'x', '--nonsense'], "unknown option '--nonsense'"],
    [
      ['encode', 'x.wav', '-o', 'x', '--kbps', '3', '--quantizers', '6'],
      "'--kbps <rate>' cannot be used with option '--quantizers <count>'",
    ],
    [['encode', 'x.wav', '-o', 'x', '--kbps', 'fast'], 'It must be a number above 0.'],
    [['encode', 'x.wav', '-o', 'x', '--quantizers', '0'], 'It must be an integer of 1 or more.'],
    [['encode', 'x.wav', '-o', 'x', '--format', 'mp3'], 'Allowed choices are tsr, npy, jsonl.'],
    [['encode', 'x.wav', '-o', 'x', '--provider', 'abacus'], 'Allowed choices are auto'],
    [['decode', 'x.tsr', 'y.tsr', '-o', 'x.wav'], 'too many arguments'],
    [['serve', '--port', '70000'], 'It must be an integer from 0 to 65535.'],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stdout: stdout.length }).toEqual({ code: 2, stdout: 0 });
    expect(stderr).toMatch(/^tessera: [^\n]+\nTry --help\.\n$/);
    expect(stderr).toContain(message);
  });

  test.each([
    [['encode', '-', '-', '-o', 'x'], 'tessera: standard input can be read only once [usage]\n'],
    [
      ['encode', 'a.wav', 'b.wav', '-o', '-'],
      'tessera: several recordings cannot go to standard output: give a directory, or --format jsonl [usage]\n',
    ],
  ])('refuses what contradicts itself: %j', async (args, stderr) => {
    expect(await runCli(args)).toMatchObject({ code: 2, stderr });
  });

  test('adds where an error came from when it is asked to', async () => {
    const { stderr } = await runCli(['inspect', 'none.tsr'], { env: { TESSERA_DEBUG: '1' } });
    expect(stderr).toMatch(/^tessera: none\.tsr: there is no such file \[file_error\]\n[^]*\n +at /);
  });
});
