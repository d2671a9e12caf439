import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { AudioIngest, readAudio } from '../../../codec/audio/index.js';
import type { IngestFormat } from '../../../codec/audio/index.js';
import {
  childProcessCount,
  collect,
  errorOf,
  fixtureFloats,
  fixturePath,
  pieces,
  wavFile,
} from './audioFiles.js';

const WAV = readFileSync(fixturePath('speech-ja-1.wav'));
const OPUS = readFileSync(fixturePath('speech-en-1.opus'));
const speech = fixtureFloats('speech-ja-1.wav');
const floatBytes = new Uint8Array(speech.slice().buffer);

async function feed(ingest: AudioIngest, bytes: Uint8Array, sizes: readonly number[]): Promise<void> {
  for (const piece of pieces(bytes, sizes)) await ingest.push(piece);
  ingest.end();
}

async function ingestAll(
  format: IngestFormat,
  bytes: Uint8Array,
  sizes: readonly number[],
  sampleRate = 24_000,
): Promise<Float32Array> {
  const ingest = new AudioIngest(format, { sampleRate });
  const [samples] = await Promise.all([collect(ingest), feed(ingest, bytes, sizes)]);
  return samples;
}

describe('audio that is pushed', () => {
  const s16: IngestFormat = { format: 'pcm_s16le', sampleRate: 24_000, channels: 1 };
  const f32: IngestFormat = { format: 'pcm_f32le', sampleRate: 24_000, channels: 1 };

  test.each<[string, IngestFormat, Uint8Array]>([
    ['16-bit PCM', s16, WAV.subarray(44)],
    ['float PCM', f32, floatBytes],
    ['WAV', { format: 'wav' }, WAV],
    ['WAV called a container', { format: 'container' }, WAV],
  ])('as %s gives the samples of the file, however it is cut', async (_name, format, bytes) => {
    expect(await ingestAll(format, bytes, [960])).toEqual(speech);
    expect(await ingestAll(format, bytes, [1, 3, 961, 7, 5_001])).toEqual(speech);
    expect(await ingestAll(format, bytes, [bytes.length])).toEqual(speech);
  });

  test('may go on after the samples of a WAV file: chunks behind them are passed over, however late', async () => {
    const list = Buffer.concat([Buffer.from('LIST\xc8\0\0\0', 'latin1'), Buffer.alloc(200, 'x')]);
    expect(await ingestAll({ format: 'wav' }, Buffer.concat([WAV, list]), [960])).toEqual(speech);

    const ingest = new AudioIngest({ format: 'wav' }, { sampleRate: 24_000 });
    const reading = collect(ingest);
    for (const piece of pieces(WAV, [960])) await ingest.push(piece);
    expect(await reading).toEqual(speech);
    await expect(ingest.push(list)).resolves.toBeUndefined();
    ingest.end();
  });

  test('at another rate and in stereo goes the same way as a file', async () => {
    const parts = { sampleRate: 48_000, channels: 2 };
    const file = await ingestAll({ format: 'wav' }, wavFile(WAV.subarray(44), parts), [4_099]);
    const raw = await ingestAll({ format: 'pcm_s16le', ...parts }, WAV.subarray(44), [333]);
    expect(raw).toEqual(file);
    expect(raw.length).toBe(Math.round(speech.length / 4));
  });

  test('as a container is what ffmpeg makes of the same file', async () => {
    const expected = await readAudio(fixturePath('speech-en-1.opus'), { sampleRate: 24_000 });
    expect(await ingestAll({ format: 'container' }, OPUS, [120])).toEqual(expected);
  });

  test('as PCM is given on at once, with nothing held back for the next packet', async () => {
    const ingest = new AudioIngest(s16, { sampleRate: 24_000 });
    const samples = ingest[Symbol.asyncIterator]();
    for (let packet = 0; packet < 5; packet++) {
      await ingest.push(WAV.subarray(44 + packet * 960, 44 + (packet + 1) * 960));
      const { value } = (await samples.next()) as IteratorYieldResult<Float32Array>;
      expect(value).toEqual(speech.subarray(packet * 480, (packet + 1) * 480));
    }
    await ingest.close();
    expect((await samples.next()).done).toBe(true);
  });

  test('as a container starts to come out before its end', async () => {
    const ingest = new AudioIngest({ format: 'container' }, { sampleRate: 24_000 });
    const samples = ingest[Symbol.asyncIterator]();
    await ingest.push(OPUS.subarray(0, OPUS.length / 2));
    expect(((await samples.next()) as IteratorYieldResult<Float32Array>).value.length).toBeGreaterThan(0);
    await ingest.close();
    expect(await childProcessCount()).toBe(0);
  });

  test('may be nothing at all as PCM', async () => {
    expect((await ingestAll(s16, new Uint8Array(0), [1])).length).toBe(0);
  });

  test('in many sessions at once stays apart', async () => {
    const sessions = Array.from({ length: 12 }, (_, index) =>
      index % 3 === 0
        ? ingestAll({ format: 'container' }, OPUS, [500 + index])
        : ingestAll(index % 3 === 1 ? s16 : { format: 'wav' }, index % 3 === 1 ? WAV.subarray(44) : WAV, [
            961 + index,
          ]),
    );
    const results = await Promise.all(sessions);
    results.forEach((samples, index) => {
      expect(samples).toEqual(index % 3 === 0 ? results[0] : speech);
    });
    expect(await childProcessCount()).toBe(0);
  });
});

describe('bad audio that is pushed', () => {
  test.each<[string, IngestFormat, Uint8Array, string, RegExp]>([
    [
      'NaN',
      { format: 'pcm_f32le', sampleRate: 24_000, channels: 1 },
      new Uint8Array(new Float32Array([0, 0.5, NaN]).buffer),
      'bad_audio',
      /sample 2 is not a finite number/,
    ],
    [
      'infinity',
      { format: 'pcm_f32le', sampleRate: 24_000, channels: 2 },
      new Uint8Array(new Float32Array([0, 0, -Infinity, 0]).buffer),
      'bad_audio',
      /sample 1 is not a finite number/,
    ],
    ['an empty WAV', { format: 'wav' }, new Uint8Array(0), 'bad_audio', /is empty/],
    ['a cut WAV', { format: 'wav' }, WAV.subarray(0, 5_000), 'bad_audio', /only 4956 are there/],
    ['Opus as WAV', { format: 'wav' }, OPUS, 'bad_audio', /not a WAV file/],
    [
      'text as a container',
      { format: 'container' },
      Buffer.from('text '.repeat(900)),
      'unsupported_audio',
      /ffmpeg/,
    ],
  ])('%s ends in a clear error, and holds nobody up', async (_name, format, bytes, code, message) => {
    const ingest = new AudioIngest(format, { sampleRate: 24_000, name: 'session 7' });
    const feeding = feed(ingest, bytes, [1_000]).catch((error: unknown) => error);
    const error = await errorOf(collect(ingest));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain('session 7');
    await feeding;
    expect((await errorOf(ingest.push(bytes))).code).toBe('bad_state');
    expect(await childProcessCount()).toBe(0);
  });

  test.each([
    [4_000, 1, 'unsupported_audio'],
    [384_000, 1, 'unsupported_audio'],
    [0, 1, 'bad_audio'],
    [44_100.5, 1, 'bad_audio'],
    [24_000, 0, 'bad_audio'],
    [24_000, 33, 'unsupported_audio'],
  ])('of %f Hz and %i channels is refused before it starts', async (sampleRate, channels, code) => {
    const opening = Promise.resolve().then(
      () => new AudioIngest({ format: 'pcm_s16le', sampleRate, channels }, { sampleRate: 24_000 }),
    );
    expect((await errorOf(opening)).code).toBe(code);
  });
});

describe('what waits is bounded', () => {
  const s16: IngestFormat = { format: 'pcm_s16le', sampleRate: 24_000, channels: 1 };

  test('push waits for the reader, and goes on when it reads', async () => {
    const ingest = new AudioIngest(s16, { sampleRate: 24_000, maxWaitingBytes: 10_000 });
    let pushedBytes = 0;
    const feeding = (async () => {
      for (const piece of pieces(WAV.subarray(44), [1_000])) {
        await ingest.push(piece);
        pushedBytes += piece.length;
      }
      ingest.end();
    })();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(pushedBytes).toBeLessThanOrEqual(10_000);
    expect(await collect(ingest)).toEqual(speech);
    await feeding;
  });

  test('a caller that does not wait is refused', async () => {
    const ingest = new AudioIngest(s16, { sampleRate: 24_000, maxWaitingBytes: 10_000 });
    const pushes = Array.from({ length: 30 }, () =>
      ingest.push(new Uint8Array(1_000)).catch((error: unknown) => error),
    );
    expect(await pushes[29]).toMatchObject({ code: 'input_overflow' });
    await ingest.close();
    await Promise.all(pushes);
  });

  test('close lets go of a waiting push', async () => {
    const ingest = new AudioIngest(s16, { sampleRate: 24_000, maxWaitingBytes: 1_000 });
    const waiting = ingest.push(new Uint8Array(5_000));
    await ingest.close();
    await waiting;
    expect((await errorOf(ingest.push(new Uint8Array(1)))).code).toBe('bad_state');
  });

  test('close ends a session at any moment', async () => {
    const formats: IngestFormat[] = [s16, { format: 'wav' }, { format: 'container' }];
    for (const format of formats) {
      const bytes = format.format === 'container' ? OPUS : WAV;
      for (const [pushed, waitMs] of [
        [0, 0],
        [0, 30],
        [5, 0],
        [5, 30],
        [30, 30],
        [3_000, 0],
        [3_000, 200],
        [12_000, 5],
        [12_000, 50],
        [12_000, 200],
      ] as const) {
        const ingest = new AudioIngest(format, { sampleRate: 24_000 });
        const reading = collect(ingest);
        await ingest.push(bytes.subarray(0, pushed));
        await sleep(waitMs);
        await ingest.close();
        expect(await childProcessCount()).toBe(0);
        await reading;
      }
    }
    expect(await childProcessCount()).toBe(0);
  });
});
