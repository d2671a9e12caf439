import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryPath } from '../support/sourceFiles.js';

const CONSUMER = `import { connect, TesseraError, type Session, type TokenBlock } from 'tessera/client';

export async function talk(url: string): Promise<number> {
  const session: Session = await connect(url, { mode: 'encode', bitrate: { maxBitsPerSecond: 3000 } });
  let frames = 0;
  session.on('tokens', (block: TokenBlock) => (frames += block.frameCount));
  session.send(new Float32Array(480));
  for await (const { codes } of session.tokens()) frames += codes.length;
  await session.close().catch((error: unknown) => {
    if (error instanceof TesseraError && error.code === 'at_capacity') return;
    throw error;
  });
  return frames;
}
`;

const IN_A_PAGE = `import { connect } from 'tessera/client';

export async function page(stream: MediaStream, audioContext: AudioContext): Promise<AudioContext> {
  const session = await connect(new URL('wss://example.org/v1/stream'), { WebSocket });
  const player = await session.play({ audioContext, destination: audioContext.createGain() });
  await session.sendMicrophone(stream, { audioContext });
  player.stop();
  return audioContext;
}
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-consumer-'));
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: repositoryPath,
    stdio: 'pipe',
  });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'tessera'), { recursive: true });
  execFileSync('tar', [
    '-xzf',
    join(folder, tarball),
    '-C',
    join(modules, 'tessera'),
    '--strip-components=1',
  ]);
  // What npm would install beside it, and the compiler.
  for (const name of ['zod', 'ws'])
    symlinkSync(join(repositoryPath, 'node_modules', name), join(modules, name));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  writeFileSync(join(folder, 'consumer.ts'), CONSUMER);
  writeFileSync(join(folder, 'page.ts'), IN_A_PAGE);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What the compiler complains of. */
function compile(files: readonly string[], lib: readonly string[], moduleResolution: string): string {
  const options = {
    strict: true,
    noEmit: true,
    target: 'ES2022',
    module: moduleResolution === 'Bundler' ? 'ESNext' : 'NodeNext',
    moduleResolution,
    lib,
    types: [],
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files }));
  try {
    execFileSync(process.execPath, [join(repositoryPath, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      stdio: 'pipe',
    });
    return '';
  } catch (error) {
    // zod's own declarations want a URL: that is between it and who compiles without one.
    const lines = String((error as { stdout: Buffer }).stdout).split('\n');
    return lines.filter((line) => !line.includes('node_modules/zod/')).join('\n');
  }
}

test.each([
  ['with the DOM, in a bundler', ['consumer.ts', 'page.ts'], ['ES2023', 'DOM', 'DOM.Iterable'], 'Bundler'],
  ['without the DOM, in a bundler', ['consumer.ts'], ['ES2023'], 'Bundler'],
  ['without the DOM, in Node', ['consumer.ts'], ['ES2023'], 'NodeNext'],
])('the packed tarball compiles strictly %s', (_, files, lib, moduleResolution) => {
  expect(compile(files, lib, moduleResolution)).toBe('');
});

test('a wrong call does not compile', () => {
  writeFileSync(
    join(folder, 'wrong.ts'),
    `import { connect } from 'tessera/client';\nvoid connect('', { mode: 'shout' });\n`,
  );
  expect(compile(['wrong.ts'], ['ES2023'], 'Bundler')).toContain('shout');
});

test('the tarball has what the client needs at run time', () => {
  const files = readdirSync(join(folder, 'node_modules/tessera/dist/client'));
  expect(files).toEqual(
    expect.arrayContaining([
      'tessera.js',
      'worker.js',
      'worklets.js',
      'ort-wasm-simd-threaded.wasm',
      'webgpu.js',
      'ort-wasm-simd-threaded.jspi.wasm',
    ]),
  );
});
