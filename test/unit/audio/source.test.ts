import { readFileSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { openAudio, readAudio, writeAudio } from '../../../codec/audio/index.js';
import {
  childProcessCount,
  collect,
  differenceDb,
  errorOf,
  fixtureFloats,
  fixturePath,
  fixtureSamples,
  streamOf,
  temporaryDirectory,
  wavFile,
} from './audioFiles.js';

const directory = temporaryDirectory();
afterAll(directory.remove);

const OPUS = fixturePath('speech-en-1.opus');
const speech = fixtureFloats('speech-en-1.wav');

/** mu-law: a WAV that only ffmpeg reads, and in which every byte is a sample. */
function muLaw(samples: number, parts: { dataBytes?: number; riffBytes?: number } = {}): Buffer {
  const data = Buffer.from(Array.from({ length: samples }, (_, index) => (index * 37) % 256));
  return wavFile(data, { formatTag: 7, bits: 8, sampleRate: 8_000, ...parts });
}

describe('a recording that ffmpeg reads', () => {
  test('is heard as its WAV twin: Ogg Opus, from a path and from a pipe', async () => {
    const source = await openAudio(OPUS, { sampleRate: 24_000 });
    expect(source.info).toMatchObject({ container: 'ogg', codec: 'opus', sampleRate: 48_000, channels: 1 });
    expect(source.info.durationSeconds).toBeCloseTo(speech.length / 24_000, 1);
    const fromPath = await collect(source);
    expect(fromPath.length).toBe(speech.length);
    // The WAV file was made by opusdec: the same decoder, another resampler and dither.
    let error = 0;
    let power = 0;
    fromPath.forEach((sample, index) => {
      error += (sample - (speech[index] ?? 0)) ** 2;
      power += sample ** 2;
    });
    expect(10 * Math.log10(error / power)).toBeLessThan(-50);

    const fromPipe = await readAudio(streamOf(readFileSync(OPUS), [1, 700, 3_000]), { sampleRate: 24_000 });
    expect(fromPipe).toEqual(fromPath);
  });

  test('is the same Opus from Ogg and from WebM, as browsers record it', async () => {
    const ogg = await readAudio(OPUS, { sampleRate: 24_000 });
    const path = fixturePath('speech-en-1.webm');
    const webm = await readAudio(path, { sampleRate: 24_000 });
    // Matroska rounds times to milliseconds, so the end may be cut elsewhere.
    expect(Math.abs(webm.length - ogg.length)).toBeLessThan(24 * 40);
    const length = Math.min(webm.length, ogg.length) - 480;
    expect(differenceDb(webm.subarray(0, length), ogg.subarray(0, length))).toBeLessThan(-80);
    expect(await readAudio(streamOf(readFileSync(path), [1, 50, 3]), { sampleRate: 24_000 })).toEqual(webm);
  });

  test('gives the samples of the WAV file exactly when it is lossless, at any rate', async () => {
    const path = directory.path('speech.flac');
    await writeAudio(path, speech, { sampleRate: 24_000 });
    expect(await readAudio(path, { sampleRate: 24_000 })).toEqual(speech);
    const wav = await readAudio(fixturePath('speech-en-1.wav'), { sampleRate: 16_000 });
    expect(await readAudio(path, { sampleRate: 16_000 })).toEqual(wav);
    expect(await readAudio(streamOf(readFileSync(path)), { sampleRate: 16_000 })).toEqual(wav);
  });

  test('is told by its content, not by its name', async () => {
    const path = directory.path('really-opus.wav');
    writeFileSync(path, readFileSync(OPUS));
    const source = await openAudio(path, { sampleRate: 24_000 });
    await source.close();
    expect(source.info.container).toBe('ogg');
  });

  test('may be a WAV file of a codec that is not PCM', async () => {
    const path = directory.path('mulaw.wav');
    writeFileSync(path, muLaw(8_000));
    const fromPath = await readAudio(path, { sampleRate: 8_000 });
    expect(fromPath.length).toBe(8_000);
    // G.711's own table: byte 0 is -32124, byte 0x25 (the second) is -6652.
    expect([...fromPath.subarray(0, 2)]).toEqual([-32_124 / 32_768, -6_652 / 32_768]);
    expect(await readAudio(streamOf(muLaw(8_000)), { sampleRate: 8_000 })).toEqual(fromPath);
  });
});

describe('what is not audio ends in a clear error', () => {
  test.each<[string, string | Buffer, string, RegExp]>([
    ['a text file', 'Call me Ishmael. Some years ago\n'.repeat(40), 'unsupported_audio', /./],
    ['a short text file', 'hello', 'unsupported_audio', /./],
    ['random bytes', Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * i * 31 + 7) % 251)), '', /./],
    ['an MP3 of zeros', Buffer.concat([Buffer.from('ID3'), Buffer.alloc(4_000)]), '', /./],
    ['a FLAC header and nothing more', Buffer.from('fLaC\x00\x00\x00\x22'), '', /./],
    ['a playlist', '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n', '', /./],
  ])('%s', async (name, content, code, message) => {
    const path = directory.path(`${name.replaceAll(' ', '-')}.bin`);
    writeFileSync(path, content);
    for (const error of [
      await errorOf(readAudio(path, { sampleRate: 24_000 })),
      await errorOf(readAudio(streamOf(readFileSync(path)), { sampleRate: 24_000, name: path })),
    ]) {
      expect(code === '' ? ['bad_audio', 'unsupported_audio'] : [code]).toContain(error.code);
      expect(error.message).toContain(path);
      expect(error.message).toMatch(message);
    }
  });

  test('an Opus file that is cut off is read up to the cut', async () => {
    const bytes = readFileSync(OPUS);
    const samples = await readAudio(streamOf(bytes.subarray(0, bytes.length / 2)), { sampleRate: 24_000 });
    expect(samples.length).toBeGreaterThan(speech.length / 4);
    expect(samples.length).toBeLessThan(speech.length);
  });

  test('a file that is not there, a directory, a stream that breaks', async () => {
    const missing = await errorOf(openAudio(directory.path('missing.wav'), { sampleRate: 24_000 }));
    expect(missing).toMatchObject({
      code: 'file_error',
      message: expect.stringMatching(/missing\.wav: there is no/),
    });
    const isDirectory = await errorOf(openAudio(directory.path('.'), { sampleRate: 24_000 }));
    expect(isDirectory).toMatchObject({ code: 'file_error', message: expect.stringMatching(/directory/) });
    for (const bytes of [readFileSync(OPUS), readFileSync(fixturePath('speech-en-1.wav'))]) {
      const broken = Readable.from(
        (function* () {
          yield bytes.subarray(0, 9_000);
          throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
        })(),
        { objectMode: false },
      );
      const error = await errorOf(readAudio(broken, { sampleRate: 24_000, name: 'upload' }));
      expect(error).toMatchObject({
        code: 'file_error',
        message: expect.stringMatching(/^upload: .*ECONNRESET/),
      });
    }
  });

  test('a source is read only once, and not after it was closed', async () => {
    const source = await openAudio(fixturePath('speech-en-1.wav'), { sampleRate: 24_000 });
    await collect(source);
    expect((await errorOf(collect(source))).code).toBe('bad_state');
    const closed = await openAudio(fixturePath('speech-en-1.wav'), { sampleRate: 24_000 });
    await closed.close();
    await closed.close();
    expect((await errorOf(collect(closed))).code).toBe('bad_state');
  });
});

describe('what a source holds', () => {
  test('50 sources opened and closed early leave no process behind', async () => {
    const sources = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        openAudio(index % 2 === 0 ? OPUS : streamOf(readFileSync(OPUS), [500]), { sampleRate: 24_000 }),
      ),
    );
    await Promise.all(
      sources.map(async (source, index) => {
        // A third is closed unread, a third in the middle of a read, a third by leaving the loop.
        if (index % 3 === 1) {
          const iterator = source[Symbol.asyncIterator]();
          await iterator.next();
          const pending = iterator.next();
          await source.close();
          await pending;
        } else if (index % 3 === 2) {
          for await (const samples of source) if (samples.length > 0) break;
        }
        await source.close();
      }),
    );
    expect(await childProcessCount()).toBe(0);
  });

  test('failed openings leave no process behind', async () => {
    const path = directory.path('no-audio.txt');
    writeFileSync(path, 'no audio '.repeat(500));
    await Promise.all(Array.from({ length: 20 }, () => errorOf(openAudio(path, { sampleRate: 24_000 }))));
    expect(await childProcessCount()).toBe(0);
  });

  test('a reader that stops holds up ffmpeg and its input', async () => {
    let givenBytes = 0;
    const block = muLaw(65_536).subarray(44);
    const endless = Readable.from(
      (function* () {
        yield muLaw(8, { dataBytes: 0xffff_ffff, riffBytes: 0xffff_ffff });
        for (;;) {
          givenBytes += block.length;
          yield block;
        }
      })(),
      { objectMode: false },
    );
    const source = await openAudio(endless, { sampleRate: 8_000 });
    const iterator = source[Symbol.asyncIterator]();
    await iterator.next();
    let before = -1;
    while (givenBytes !== before) {
      before = givenBytes;
      await sleep(200);
    }
    // Buffers of both pipes, of ffmpeg and of the streams between; the decoder would have taken hundreds of MB.
    expect(givenBytes).toBeLessThan(4_000_000);
    for (let reads = 0; reads < 200; reads++) await iterator.next();
    expect(givenBytes).toBeGreaterThan(before);
    await source.close();
    expect(await childProcessCount()).toBe(0);
  });

  test('a stream that waits for its input can be closed', async () => {
    const silent = new Readable({ read: () => undefined });
    silent.push(readFileSync(OPUS).subarray(0, 4_000));
    const source = openAudio(silent, { sampleRate: 24_000 });
    await sleep(300);
    silent.destroy();
    expect((await errorOf(source)).code).toBe('file_error');
    expect(await childProcessCount()).toBe(0);
  });

  test('speech at 44.1 kHz in stereo WAV comes out as its mono original', async () => {
    const samples = fixtureSamples('speech-it-1.wav');
    const data = Buffer.alloc(samples.length * 4);
    samples.forEach((sample, index) => {
      data.writeInt16LE(sample, index * 4);
      data.writeInt16LE(sample, index * 4 + 2);
    });
    const stereo = await readAudio(streamOf(wavFile(data, { channels: 2, sampleRate: 44_100 })), {
      sampleRate: 24_000,
    });
    const mono = await readAudio(
      streamOf(wavFile(data.filter((_, index) => index % 4 < 2) as Buffer, { sampleRate: 44_100 })),
      { sampleRate: 24_000 },
    );
    expect(mono.length).toBe(Math.round((samples.length * 24_000) / 44_100));
    expect(differenceDb(stereo, mono)).toBe(-Infinity);
  });
});
