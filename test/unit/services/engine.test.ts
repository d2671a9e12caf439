import { mkdtemp, readFile, rm, writeFile, cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BroadcastChannel } from 'node:worker_threads';
import { resolveModelDirectory } from '../../../codec/index.js';
import { decodePcm, encodePcm, TesseraError, type Mode, type TokenBlock } from '../../../protocol/index.js';
import {
  Engine,
  type EngineResult,
  type EngineSession,
  type EngineSessionOptions,
  type EngineState,
  type RunFigures,
} from '../../../services/engine/index.js';
import { CRASH_CHANNEL } from '../../support/crashChannel.js';
import { differingCodes } from '../../support/tokenStreams.js';
import { readWavFixture } from '../../support/wavFixture.js';

const speech = readWavFixture('speech-pt-1.wav').samples.subarray(0, 36_000);
const runs: RunFigures[] = [];
let engine: Engine;

beforeAll(async () => {
  engine = await Engine.start({
    provider: 'cpu',
    threads: 1,
    maxQueuedFrames: 20,
    admitsAll: true,
    onRun: (run) => runs.push(run),
  });
});

afterAll(() => engine.close());

/** A session that keeps its results. */
class Recorder {
  readonly results: EngineResult[] = [];
  #onResult: () => void = () => undefined;
  session!: EngineSession;

  static async open(
    mode: Mode,
    options: Omit<EngineSessionOptions, 'mode' | 'onResult'> = {},
  ): Promise<Recorder> {
    const recorder = new Recorder();
    recorder.session = await engine.openSession({
      mode,
      ...options,
      onResult: (result) => {
        recorder.results.push(result);
        recorder.#onResult();
      },
    });
    return recorder;
  }

  async push(samples: Float32Array, size: number): Promise<void> {
    for (let at = 0; at < samples.length; at += size) {
      await this.session.pushPcm(samples.slice(at, at + size));
    }
  }

  async flush(): Promise<void> {
    const count = this.#flushes;
    this.session.flush();
    while (this.#flushes === count) await new Promise<void>((resolve) => (this.#onResult = resolve));
  }

  get #flushes(): number {
    return this.results.filter(({ kind }) => kind === 'flushed').length;
  }

  get blocks(): TokenBlock[] {
    return this.results.flatMap((result) => (result.kind === 'tokens' ? result.block : []));
  }

  get samples(): number[] {
    return this.results.flatMap((result) =>
      result.kind === 'pcm' ? [...decodePcm(result.bytes, 'pcm_f32le')] : [],
    );
  }
}

describe('Engine', () => {
  test('sessions that are ready together share runs, and get the codes that they get alone', async () => {
    const alone = await Recorder.open('encode');
    await alone.push(speech, 480);
    await alone.flush();
    alone.session.close();

    runs.length = 0;
    const together = await Promise.all([1, 2, 3, 4, 5].map(() => Recorder.open('encode')));
    await Promise.all(together.map((each) => each.push(speech, 480)));
    await Promise.all(together.map((each) => each.flush()));
    expect(Math.max(...runs.map(({ sessions }) => sessions))).toBe(5);
    for (const each of together) {
      expect(differingCodes(each.blocks, alone.blocks)).toBeLessThan(0.001);
      each.session.close();
    }
  });

  test('a full run of 32 sessions at different places of their speech gives the codes that each gets alone', async () => {
    const count = 32;
    const pieceOf = (index: number): Float32Array => speech.subarray(700 * index, 700 * index + 9600);
    const alone: TokenBlock[][] = [];
    for (let index = 0; index < count; index += 1) {
      const recorder = await Recorder.open('encode');
      await recorder.push(pieceOf(index), 480);
      await recorder.flush();
      alone.push(recorder.blocks);
      recorder.session.close();
    }
    runs.length = 0;
    const together = await Promise.all(alone.map(() => Recorder.open('encode')));
    await Promise.all(together.map((each, index) => each.push(pieceOf(index), 480)));
    await Promise.all(together.map((each) => each.flush()));
    expect(Math.max(...runs.map(({ sessions }) => sessions))).toBeGreaterThan(count / 2);
    expect(new Set(runs.map(({ frames }) => frames))).toContain(4);
    const differing = together.map((each, index) => differingCodes(each.blocks, alone[index] ?? []));
    expect(differing.reduce((total, share) => total + share, 0) / count).toBeLessThan(0.001);
    for (const { session } of together) session.close();
  });

  test('pushes wait while the bound is reached, and are refused at twice of it', async () => {
    const { session } = await Recorder.open('encode');
    let isFree = false;
    const full = session.pushPcm(new Float32Array(20 * 480)).then(() => (isFree = true));
    await Promise.resolve();
    expect(isFree).toBe(false);
    expect(session.queuedFrames).toBe(20);
    void session.pushPcm(new Float32Array(20 * 480));
    await expect(session.pushPcm(new Float32Array(480))).rejects.toMatchObject({ code: 'input_overflow' });
    await full;
    expect(session.queuedFrames).toBeLessThan(20);
    session.close();
    await expect(session.pushPcm(new Float32Array(480))).rejects.toBeInstanceOf(TesseraError);
  });

  test.each<Mode>(['encode', 'resynth'])(
    '%s: the state goes to another session, which goes on',
    async (mode) => {
      const whole = await Recorder.open(mode, { quantizers: 5 });
      await whole.push(speech, 700);
      await whole.flush();

      // Not at a frame's edge: what is left of a frame is part of the state.
      const cut = 17_777;
      const first = await Recorder.open(mode, { quantizers: 5 });
      await first.push(speech.subarray(0, cut), 700);
      const state = await first.session.exportState();
      first.session.close();
      const second = await Recorder.open(mode, { quantizers: 5, state });
      await second.push(speech.subarray(cut), 700);
      await second.flush();

      expect(second.results.at(-1)).toEqual(whole.results.at(-1));
      if (mode === 'encode') {
        expect(differingCodes([...first.blocks, ...second.blocks], whole.blocks)).toBeLessThan(0.001);
      } else {
        const joined = [...first.samples, ...second.samples];
        const expected = whole.samples;
        expect(joined).toHaveLength(expected.length);
        const difference = joined.map((sample, at) => Math.abs(sample - (expected[at] ?? 0)));
        expect(Math.max(...difference)).toBeLessThan(0.001);
      }
      for (const each of [whole, second]) each.session.close();
    },
  );

  test('a state that is damaged, or of another mode, is refused; other sessions go on', async () => {
    const encoder = await Recorder.open('encode');
    const state = await encoder.session.exportState();
    await expect(Recorder.open('decode', { state })).rejects.toMatchObject({ code: 'bad_codec_state' });
    state[100] = (state[100] ?? 0) ^ 1;
    await expect(Recorder.open('encode', { state })).rejects.toMatchObject({ code: 'bad_codec_state' });
    await encoder.push(speech.subarray(0, 480), 480);
    await encoder.flush();
    expect(encoder.blocks.length).toBe(2);
    encoder.session.close();
  });

  test('input as bytes, cut anywhere, is converted in the worker; output comes in the format asked for', async () => {
    const samples = speech.subarray(0, 9_601);
    const stereo = new Float32Array(2 * samples.length).map((_, at) => samples[at >> 1] ?? 0);
    const plain = await Recorder.open('resynth');
    await plain.push(decodePcm(encodePcm(samples, 'pcm_s16le'), 'pcm_s16le'), 480);
    await plain.flush();

    const asBytes = await Recorder.open('resynth', {
      input: { format: 'pcm_s16le', sampleRate: 24_000, channels: 2 },
      output: 'pcm_s16le',
    });
    const bytes = encodePcm(stereo, 'pcm_s16le');
    for (let at = 0; at < bytes.length; at += 999)
      await asBytes.session.pushBytes(bytes.subarray(at, at + 999));
    await asBytes.flush();
    const heard = asBytes.results.flatMap((result) => (result.kind === 'heard' ? result : []));
    expect(heard.reduce((total, { sampleCount }) => total + sampleCount, 0)).toBe(samples.length);
    expect(heard.map(({ endsStretch }) => endsStretch)).toEqual(
      heard.map((_, at) => at === heard.length - 1),
    );
    const outputOf = ({ results }: Recorder): Uint8Array =>
      Buffer.concat(results.flatMap((result) => (result.kind === 'pcm' ? result.bytes : [])));
    const expected = encodePcm(decodePcm(outputOf(plain), 'pcm_f32le'), 'pcm_s16le');
    const difference = decodePcm(outputOf(asBytes), 'pcm_s16le').map(
      (sample, at) => sample - (decodePcm(expected, 'pcm_s16le')[at] ?? 0),
    );
    expect(difference).toHaveLength(21 * 480);
    expect(Math.max(...difference.map(Math.abs))).toBeLessThan(0.001);
    await expect(asBytes.session.exportState()).rejects.toMatchObject({ code: 'bad_state' });
    for (const { session } of [plain, asBytes]) session.close();
  });

  test('bytes at another rate make a stretch of the right length after each flush', async () => {
    const recorder = await Recorder.open('encode', {
      input: { format: 'pcm_s16le', sampleRate: 16_000, channels: 1 },
    });
    for (const samples of [1_000, 1_601]) {
      await recorder.session.pushBytes(new Uint8Array(2 * samples));
      await recorder.flush();
    }
    const lengths: number[] = [0];
    for (const result of recorder.results) {
      if (result.kind !== 'heard') continue;
      lengths.push((lengths.pop() ?? 0) + result.sampleCount);
      if (result.endsStretch) lengths.push(0);
    }
    expect(lengths).toEqual([1_500, 2_402, 0]);
    recorder.session.close();
  });

  test('bytes that hold no finite sample fail their session only', async () => {
    const healthy = await Recorder.open('encode');
    const failing = await Recorder.open('encode', {
      input: { format: 'pcm_f32le', sampleRate: 24_000, channels: 1 },
    });
    await failing.session.pushBytes(encodePcm(new Float32Array([0, Infinity]), 'pcm_f32le'));
    await healthy.push(speech, 480);
    await healthy.flush();
    expect(failing.results).toEqual([
      { kind: 'failed', error: expect.objectContaining({ code: 'bad_audio' }) },
    ]);
    healthy.session.close();
  });

  test('bytes wait as samples do: refused at twice the bound', async () => {
    const { session } = await Recorder.open('encode', {
      input: { format: 'pcm_s16le', sampleRate: 48_000, channels: 2 },
    });
    const bytes = new Uint8Array(2 * 2 * 2 * 480 * 20);
    const full = session.pushBytes(bytes);
    expect(session.queuedFrames).toBe(20);
    void session.pushBytes(bytes);
    await expect(session.pushBytes(bytes)).rejects.toMatchObject({ code: 'input_overflow' });
    await full;
    session.close();
  });

  test('sessions that send nothing are in no run', async () => {
    const idle = await Promise.all(Array.from({ length: 10 }, () => Recorder.open('resynth')));
    const active = await Recorder.open('resynth');
    runs.length = 0;
    await active.push(speech.subarray(0, 4_800), 480);
    await active.flush();
    expect(runs.length).toBeGreaterThan(0);
    expect(new Set(runs.map(({ sessions }) => sessions))).toEqual(new Set([1]));
    for (const { session } of [active, ...idle]) session.close();
  });

  test('encoding and decoding share the machine: each gets its frames while both are busy', async () => {
    const source = await Recorder.open('encode');
    await source.push(speech, 480);
    await source.flush();
    const encoding = await Recorder.open('encode');
    const decoding = await Recorder.open('decode');
    const order: string[] = [];
    const watch = (name: string, recorder: Recorder): void => {
      const { results } = recorder;
      const push = results.push.bind(results);
      results.push = (...added) => {
        order.push(name);
        return push(...added);
      };
    };
    watch('e', encoding);
    watch('d', decoding);
    const pushTokens = async (): Promise<void> => {
      for (const block of source.blocks) await decoding.session.pushTokens(block);
    };
    await Promise.all([encoding.push(speech, 480), pushTokens()]);
    await Promise.all([encoding.flush(), decoding.flush()]);
    // Neither ends before the other has begun, nor is left for long.
    expect(order.join('')).not.toMatch(/e{12}|d{12}/);
    for (const { session } of [source, encoding, decoding]) session.close();
  });

  test('samples that are not finite never reach a run that others share', async () => {
    const { session } = await Recorder.open('encode');
    const samples = new Float32Array(480);
    samples[7] = NaN;
    await expect(session.pushPcm(samples)).rejects.toMatchObject({ code: 'bad_audio' });
    session.close();
  });

  test('tokens out of order fail their own session only', async () => {
    const healthy = await Recorder.open('encode');
    const failing = await Recorder.open('decode');
    const codes = new Uint16Array(1);
    await failing.session.pushTokens({ firstFrameIndex: 5, frameCount: 1, quantizers: 1, codes });
    await healthy.push(speech, 480);
    await healthy.flush();
    expect(failing.results).toEqual([
      { kind: 'failed', error: expect.objectContaining({ code: 'bad_tokens' }) },
    ]);
    expect(healthy.blocks.length).toBeGreaterThan(10);
    healthy.session.close();
  });

  test('a quantizer change is announced before the frames that it holds for', async () => {
    const recorder = await Recorder.open('encode', { quantizers: 12 });
    await recorder.push(speech.subarray(0, 4800), 480);
    recorder.session.setQuantizers(4);
    await recorder.push(speech.subarray(4800, 9600), 480);
    await recorder.flush();
    let quantizers = 12;
    for (const result of recorder.results) {
      if (result.kind === 'quantizers') ({ quantizers } = result);
      if (result.kind === 'tokens') expect(result.block.quantizers).toBe(quantizers);
    }
    expect(quantizers).toBe(4);
    recorder.session.close();
  });

  test('a tampered model does not start, with its own error', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tessera-model-'));
    try {
      await cp(resolveModelDirectory(), directory, { recursive: true });
      const path = join(directory, 'decoder.onnx');
      const bytes = await readFile(path);
      bytes[1000] = (bytes[1000] ?? 0) ^ 1;
      await writeFile(path, bytes);
      const starting = Engine.start({ provider: 'cpu', model: directory });
      await expect(starting).rejects.toMatchObject({ code: 'model_tampered' });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('a restart that fails says why each time, and one that can succeed does', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tessera-model-'));
    const channel = new BroadcastChannel(CRASH_CHANNEL);
    let other: Engine | undefined;
    try {
      await cp(resolveModelDirectory(), directory, { recursive: true });
      const path = join(directory, 'manifest.json');
      const manifest = await readFile(path);
      const changes: { readonly state: EngineState; readonly reason: string }[] = [];
      let onChange = (): void => undefined;
      other = await Engine.start({
        provider: 'cpu',
        model: directory,
        workerUrl: new URL('../../support/failingWorker.js', import.meta.url),
        onStateChange: (state, error) => {
          changes.push({ state, reason: error?.message ?? '' });
          onChange();
        },
      });
      const changed = (count: number): Promise<void> =>
        new Promise((resolve) => {
          onChange = () => changes.length >= count && resolve();
          onChange();
        });
      await writeFile(path, 'no manifest');
      channel.postMessage('now');
      await changed(4);
      await writeFile(path, manifest);
      while (other.state !== 'ready') await changed(changes.length + 1);
      expect(changes.map(({ state }) => state).slice(0, 4)).toEqual([
        'ready',
        'restarting',
        'restarting',
        'restarting',
      ]);
      expect(changes[1]?.reason).toMatch('ended by itself');
      expect(changes[2]?.reason).toMatch('manifest.json cannot be read');
      expect(changes[3]?.reason).toMatch('manifest.json cannot be read');
    } finally {
      channel.close();
      await other?.close();
      await rm(directory, { recursive: true });
    }
  });

  test('after close there are no more sessions', async () => {
    const other = await Engine.start({ provider: 'cpu', threads: 1 });
    const results: EngineResult[] = [];
    await other.openSession({ mode: 'encode', onResult: (result) => results.push(result) });
    await other.close();
    await other.close();
    expect(results).toEqual([{ kind: 'failed', error: expect.objectContaining({ code: 'going_away' }) }]);
    await expect(other.openSession({ mode: 'encode', onResult: () => undefined })).rejects.toMatchObject({
      code: 'internal',
    });
  });
});
