import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { encodeFrame } from '../../protocol/index.js';
import { finished, runCli, startCli } from '../support/runCli.js';
import { fixtureUrl } from '../support/wavFixture.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Starts `tessera serve` on a free port. */
async function serve(): Promise<{
  child: ReturnType<typeof startCli>;
  url: string;
  end: ReturnType<typeof finished>;
}> {
  const child = startCli(['serve', '--port', '0', '--provider', 'cpu']);
  const end = finished(child);
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString();
      const match = /^Tessera listens on (ws:\S+)\n/.exec(output);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
    void end.then(({ stderr }) => reject(new Error(`it ended: ${stderr}`)));
  });
  return { child, url, end };
}

/** Opens a session to encode a recording. @returns the messages as they come. */
async function* encodeSession(url: string): AsyncGenerator<Record<string, unknown>> {
  const socket = new WebSocket(url, 'tessera.v1');
  const waiting: Record<string, unknown>[] = [];
  let wake = (): void => undefined;
  socket.on('message', (data: Buffer, isBinary) => {
    waiting.push(isBinary ? { type: 'binary' } : (JSON.parse(data.toString()) as Record<string, unknown>));
    wake();
  });
  socket.on('close', (code) => {
    waiting.push({ type: 'disconnected', code });
    wake();
  });
  socket.on('open', () => {
    socket.send(
      JSON.stringify({
        type: 'open',
        version: 1,
        mode: 'encode',
        input: { format: 'container' },
        output: { format: 'tokens', framesPerPacket: 50 },
      }),
    );
  });
  for (;;) {
    const message = waiting.shift();
    if (message === undefined) {
      await new Promise<void>((resolve) => (wake = resolve));
      continue;
    }
    if (message['type'] === 'opened') {
      const payload = await readFile(fileURLToPath(fixtureUrl('speech-en-1.opus')));
      socket.send(encodeFrame({ kind: 'audio', byteOffset: 0, payload }, { codebookSize: 1024 }));
    }
    yield message;
    if (message['type'] === 'disconnected') return;
  }
}

describe('tessera serve', () => {
  test('serves, and on SIGTERM tells its sessions, closes them with a code and exits with 0', async () => {
    const { child, url, end } = await serve();
    const types: unknown[] = [];
    let code: unknown;
    for await (const message of encodeSession(url)) {
      if (message['type'] === 'binary' && !types.includes('binary')) child.kill('SIGTERM');
      types.push(message['type']);
      if (message['type'] === 'closing') expect(message['code']).toBe('going_away');
      if (message['type'] === 'disconnected') code = message['code'];
    }
    expect(types.filter((type) => type !== 'binary')).toEqual([
      'opened',
      'closing',
      'closed',
      'disconnected',
    ]);
    expect(code).toBe(4431);
    const { stderr, ...ending } = await end;
    expect(ending).toMatchObject({ code: 0, signal: null });
    for (const line of stderr.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg');
  });

  test("answers the README's client", async () => {
    const { child, url, end } = await serve();
    const readme = await readFile(`${ROOT}README.md`, 'utf8');
    const client = /```js\n([^]*?)```/.exec(readme)?.[1] ?? '';
    const script = client.replace('ws://127.0.0.1:8080/v1/stream', url);
    expect(script).not.toBe(client);
    const run = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT });
    const { code, stdout } = await finished(run);
    expect(code).toBe(0);
    // 254 frames of 60 bits in packets of 50: 375 bytes and a header, and 4 frames last.
    expect(stdout.toString()).toMatch(/^(tokens: 379 bytes\n){3}(tokens: 380 bytes\n){2}tokens: 35 bytes\n$/);
    child.kill('SIGTERM');
    expect(await end).toMatchObject({ code: 0 });
  });

  test('says that its port is taken, and that its model is missing', async () => {
    const { child, url, end } = await serve();
    const { port } = new URL(url);
    expect(await runCli(['serve', '--port', port, '--provider', 'cpu', '--log', 'silent'])).toMatchObject({
      code: 1,
      stderr: `tessera: 127.0.0.1:${port}: another program listens there already: stop it, or choose another --port [listen_failed]\n`,
    });
    child.kill('SIGINT');
    expect(await end).toMatchObject({ code: 0 });
    expect(await runCli(['serve', '--model', '/nowhere', '--log', 'silent'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^tessera: [^\n]*\/nowhere\/manifest\.json[^\n]* \[bad_manifest\]\n$/),
    });
    expect(await runCli(['serve', '--model', 'defualt', '--log', 'silent'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^tessera: [^\n]*"defualt"[^\n]*default[^\n]* \[unknown_model\]\n$/),
    });
  });
});
