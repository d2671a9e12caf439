import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import {
  CodecModel,
  delayMs,
  frameRate,
  loadManifest,
  resolveModelDirectory,
  PROVIDERS,
  type Manifest,
} from '../../../codec/index.js';
import { runProbe } from '../../../codec/runtime/providers.js';
import { parseServerMessage } from '../../../protocol/index.js';

let directory: string;
let manifest: Manifest;

/** A model directory of links to the real one, free to be spoilt. */
beforeEach(async () => {
  manifest = await loadManifest();
  directory = mkdtempSync(join(tmpdir(), 'tessera-model-'));
  copyFileSync(join(resolveModelDirectory(), 'manifest.json'), join(directory, 'manifest.json'));
  for (const { file } of [manifest.encoder, manifest.decoder]) {
    symlinkSync(join(resolveModelDirectory(), file), join(directory, file));
  }
});

afterEach(() => rmSync(directory, { recursive: true }));

const load = (): Promise<CodecModel> => CodecModel.load({ model: directory, provider: 'cpu' });
const writeManifest = (change: object): void =>
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify({ ...manifest, ...change }));

/** States of which the first is changed. */
const withFirst = (states: Manifest['encoder']['states'], change: object): object[] =>
  states.map((state, index) => (index === 0 ? { ...state, ...change } : state));

describe('the manifest', () => {
  test('gives what code needs to know', () => {
    expect(frameRate(manifest)).toBe(manifest.sampleRate / manifest.hop);
    expect(delayMs(manifest)).toBe((manifest.delaySamples / manifest.sampleRate) * 1000);
  });

  test.each<[string, (value: Manifest) => object]>([
    ['contract', () => ({ contract: 2 })],
    ['name', () => ({ name: '' })],
    ['sampleRate', () => ({ sampleRate: '24000' })],
    ['hop', () => ({ hop: 0 })],
    ['delaySamples', () => ({ delaySamples: -1 })],
    ['decoderDelaySamples', ({ delaySamples }) => ({ decoderDelaySamples: delaySamples + 1 })],
    ['quantizers', () => ({ quantizers: 1.5 })],
    ['codebookSize', () => ({ codebookSize: 1 })],
    ['windows.marginFrames', () => ({ windows: { frames: 10, marginFrames: 5 } })],
    ['encoder.states', () => ({ windows: { frames: 10, marginFrames: 2 } })],
    ['maskedGroups', ({ latentChannels }) => ({ maskedGroups: [latentChannels, 1] })],
    ['encoder.file', ({ encoder }) => ({ encoder: { ...encoder, file: '../encoder.onnx' } })],
    ['decodesTokensOf.0', () => ({ decodesTokensOf: ['abc'] })],
    ['encoder.sha256', ({ encoder }) => ({ encoder: { ...encoder, sha256: 'abc' } })],
    ['decoder.states', ({ decoder }) => ({ decoder: { ...decoder, states: [] } })],
    [
      'decoder.states.0.type',
      ({ decoder }) => ({ decoder: { ...decoder, states: [{ ...decoder.states[0], type: 'int16' }] } }),
    ],
    ['trainingData', () => ({ trainingData: undefined })],
  ])('with a wrong %s is refused by that name', async (field, change) => {
    writeManifest(change(manifest));
    await expect(load()).rejects.toMatchObject({
      code: 'bad_manifest',
      message: expect.stringContaining(`"${field}"`) as string,
    });
  });

  test('with fields of a later version is read', async () => {
    writeManifest({ colour: 'blue' });
    expect(await loadManifest(directory)).toEqual(manifest);
  });

  test('that is no JSON, or not there, is refused with its path', async () => {
    const path = join(directory, 'manifest.json');
    const refusal = { code: 'bad_manifest', message: expect.stringContaining(path) as string };
    writeFileSync(path, '{"contract": 1,');
    await expect(load()).rejects.toMatchObject(refusal);
    unlinkSync(path);
    await expect(load()).rejects.toMatchObject(refusal);
  });
});

describe('a model', () => {
  test('tells clients what they need, in the shape of the protocol', async () => {
    const model = await load();
    expect(model.digest).toMatch(/^[0-9a-f]{64}$/);
    const opened = {
      type: 'opened',
      version: 1,
      sessionId: 's',
      resumeToken: 't',
      model: model.summary,
    };
    // Only `model` is looked at: what else the message needs is the protocol's to test.
    expect(() => parseServerMessage(JSON.stringify(opened))).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('model') as string }),
    );
    expect(model.summary).toMatchObject({ name: manifest.name, digest: model.digest, hop: manifest.hop });
    await model.close();
  });

  test.each(['encoder', 'decoder'] as const)('with a changed bit in its %s is refused', async (side) => {
    const path = join(directory, manifest[side].file);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    unlinkSync(path);
    writeFileSync(path, bytes);
    await expect(load()).rejects.toMatchObject({
      code: 'model_tampered',
      message: expect.stringContaining(path) as string,
    });
  });

  test('with a file cut short is refused as tampered, with a file missing as such', async () => {
    const path = join(directory, manifest.decoder.file);
    unlinkSync(path);
    const message = expect.stringContaining(path) as string;
    await expect(load()).rejects.toMatchObject({ code: 'file_error', message });
    writeFileSync(path, '');
    await expect(load()).rejects.toMatchObject({ code: 'model_tampered', message });
  });

  test.each<[string, (value: Manifest) => object, string]>([
    ['too many quantizers', ({ quantizers }) => ({ quantizers: quantizers + 1 }), '"codes"'],
    ['files that are swapped', ({ encoder, decoder }) => ({ encoder: decoder, decoder: encoder }), '"pcm"'],
    [
      'a state of another size',
      ({ encoder }) => ({ encoder: { ...encoder, states: withFirst(encoder.states, { shape: [7] }) } }),
      'shape',
    ],
    [
      'a state that the graph lacks',
      ({ encoder }) => ({ encoder: { ...encoder, states: withFirst(encoder.states, { output: 'none' }) } }),
      '"none"',
    ],
  ])('whose manifest states %s is refused', async (_, change, text) => {
    writeManifest(change(manifest));
    await expect(load()).rejects.toMatchObject({
      code: 'bad_manifest',
      message: expect.stringContaining(text) as string,
    });
  });

  test('whose encoder lies in a sibling folder is loaded, and decodes the tokens that its manifest says', async () => {
    const sibling = `${directory}-sibling`;
    mkdirSync(sibling);
    try {
      const file = `../${basename(directory)}/${manifest.encoder.file}`;
      const digest = 'd'.repeat(64);
      const change = { encoder: { ...manifest.encoder, file }, decodesTokensOf: [digest] };
      writeFileSync(join(sibling, 'manifest.json'), JSON.stringify({ ...manifest, ...change }));
      copyFileSync(join(directory, manifest.decoder.file), join(sibling, manifest.decoder.file));
      const model = await CodecModel.load({ model: sibling, provider: 'cpu' });
      expect([digest, model.digest, 'e'.repeat(64)].map((asked) => model.decodes(asked))).toEqual([
        true,
        true,
        false,
      ]);
      await model.close();
    } finally {
      rmSync(sibling, { recursive: true });
    }
  });

  test('of the same files has the same digest, of others another', async () => {
    const one = await load();
    const other = await CodecModel.load({ provider: 'cpu' });
    expect(one.digest).toBe(other.digest);
    await one.close();
    await other.close();
  });
});

describe('providers', () => {
  test.each(['cuda', 'webgpu'] as const)('%s runs, or is refused with the reason', async (provider) => {
    const model = await CodecModel.load({ provider }).catch((error: unknown) => error);
    if (model instanceof CodecModel) {
      expect(model.provider).toBe(provider);
      await model.close();
    } else {
      expect(model).toMatchObject({
        code: 'provider_unavailable',
        message: expect.stringContaining(`${provider}: `) as string,
      });
    }
  });

  test('a trial says why a provider is not taken: it fails, or it is too slow', async () => {
    const { encoder, hop } = manifest;
    const graph = join(resolveModelDirectory(), encoder.file);
    const tooSlow = /^a run of one frame takes \d+\.\d ms and may take 0$/;
    await expect(runProbe('cpu', graph, hop, Infinity)).resolves.toBeUndefined();
    await expect(runProbe('cpu', graph, hop, 0)).resolves.toMatch(tooSlow);
    await expect(runProbe('cpu', `${graph}.gone`, hop, Infinity)).resolves.toContain('ENOENT');
  });

  test('auto takes the first that runs, says why the others did not, and keeps quiet', async () => {
    const script = `
      import { CodecModel } from ${JSON.stringify(new URL('../../../codec/index.js', import.meta.url).href)};
      const { provider, providerFailures } = await CodecModel.load();
      console.log(JSON.stringify({ provider, providerFailures }));`;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '-e',
      script,
    ]);
    const { provider, providerFailures } = JSON.parse(stdout) as Pick<
      CodecModel,
      'provider' | 'providerFailures'
    >;
    const tried = [...providerFailures.map((failure) => failure.provider), provider];
    expect(tried).toEqual(PROVIDERS.slice(0, tried.length));
    expect(providerFailures.every(({ reason }) => reason.length > 0)).toBe(true);
    expect(stderr).toBe('');
  });
});
