import { mkdtemp, readFile, rm, writeFile, cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BroadcastChannel } from 'node:worker_threads';
import { resolveModelDirectory } from '../../../codec/index.js';
import { TesseraError, type Mode, type TokenBlock } from '../../../protocol/index.js';
import {
  Engine,
  type EngineResult,
  type EngineSession,
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
    options: { quantizers?: number; state?: Uint8Array } = {},
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
    return this.results.flatMap((result) => (result.kind === 'pcm' ? [...result.samples] : []));
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
