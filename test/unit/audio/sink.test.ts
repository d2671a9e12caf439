import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { openAudioSink, readAudio, writeAudio } from '../../../codec/audio/index.js';
import { WavWriter } from '../../../codec/audio/wavWriter.js';
import {
  childProcessCount,
  errorOf,
  fixtureFloats,
  fixturePath,
  pieces,
  temporaryDirectory,
} from './audioFiles.js';

const directory = temporaryDirectory();
afterAll(directory.remove);

const speech = fixtureFloats('speech-pt-1.wav');

describe('a recording that is written', () => {
  test('as WAV is the file that was read, byte for byte', async () => {
    const path = directory.path('out.wav');
    const sink = await openAudioSink(path, { sampleRate: 24_000 });
    for (const piece of pieces(speech, [480, 1, 7_001])) await sink.write(piece);
    await sink.finish();
    await sink.finish();
    expect(readFileSync(path).equals(readFileSync(fixturePath('speech-pt-1.wav')))).toBe(true);
  });

  test('to a stream says that its length is unknown, and is readable all the same', async () => {
    const stream = new PassThrough({ highWaterMark: 1_000 });
    const reading = readAudio(stream, { sampleRate: 24_000 });
    const writer = await WavWriter.toStream(stream, 24_000);
    for (const piece of pieces(speech, [4_001])) await writer.write(piece);
    await writer.finish();
    stream.end();
    expect(await reading).toEqual(speech);
  });

  test('to a stream whose reader goes away ends in an error, not in a crash', async () => {
    const stream = new PassThrough();
    const writer = await WavWriter.toStream(stream, 24_000);
    stream.destroy(new Error('EPIPE'));
    await new Promise((resolve) => setImmediate(resolve));
    await expect(writer.write(speech)).rejects.toThrow('EPIPE');
    await expect(writer.finish()).rejects.toThrow('EPIPE');
  });

  test('is clamped and rounded', async () => {
    const path = directory.path('loud.wav');
    await writeAudio(path, new Float32Array([2, -2, 1, -1, 0.4 / 32_768, 0.6 / 32_768]), {
      sampleRate: 8_000,
    });
    const data = readFileSync(path).subarray(44);
    expect([...new Int16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length))]).toEqual([
      32_767, -32_768, 32_767, -32_768, 0, 1,
    ]);
  });

  test('as FLAC loses nothing', async () => {
    const path = directory.path('out.flac');
    await writeAudio(path, speech, { sampleRate: 24_000 });
    expect(readFileSync(path).subarray(0, 4).toString()).toBe('fLaC');
    expect(await readAudio(path, { sampleRate: 24_000 })).toEqual(speech);
  });

  test.each(['out.opus', 'out.ogg'])('as Opus (%s) keeps its length', async (name) => {
    const path = directory.path(name);
    await writeAudio(path, speech, { sampleRate: 24_000 });
    expect(readFileSync(path).subarray(28, 36).toString()).toBe('OpusHead');
    expect((await readAudio(path, { sampleRate: 24_000 })).length).toBe(speech.length);
  });

  test('appears when it is complete, and leaves nothing when it is given up', async () => {
    for (const name of ['given-up.wav', 'given-up.flac']) {
      const path = directory.path(name);
      writeFileSync(path, 'what was there before');
      const sink = await openAudioSink(path, { sampleRate: 24_000 });
      await sink.write(speech);
      await sink.abort();
      await sink.abort();
      expect(readFileSync(path, 'utf8')).toBe('what was there before');
    }
    expect(readdirSync(directory.path('.')).filter((name) => name.includes('unfinished'))).toEqual([]);
    expect(await childProcessCount()).toBe(0);
  });

  test.each(['out.xyz', 'missing/out.wav', 'missing/out.flac', '.'])(
    'to %s ends in a clear error',
    async (name) => {
      const path = directory.path(name);
      const error = await errorOf(writeAudio(path, speech, { sampleRate: 24_000 }));
      expect(error.code).toBe(name === 'out.xyz' ? 'unsupported_audio' : 'file_error');
      expect(error.message).toContain(path);
      expect(existsSync(directory.path('out.xyz'))).toBe(false);
      expect(await childProcessCount()).toBe(0);
    },
  );
});
