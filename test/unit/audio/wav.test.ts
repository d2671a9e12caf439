import { Buffer } from 'node:buffer';
import { readFileSync, writeFileSync } from 'node:fs';
import { openAudio, readAudio } from '../../../codec/audio/index.js';
import {
  chunk,
  errorOf,
  fixtureFloats,
  fixturePath,
  fixtureSamples,
  streamOf,
  temporaryDirectory,
  wavFile,
} from './audioFiles.js';
import type { WavParts } from './audioFiles.js';

const FIXTURE = 'speech-en-1.wav';
const directory = temporaryDirectory();
afterAll(directory.remove);

const speech = fixtureSamples(FIXTURE).subarray(30_000, 54_000);

/** The speech in other sample formats, each with the values it must decode to. */
function encoded(
  write: (data: Buffer, offset: number, sample: number) => void,
  bytesPerSample: number,
): Buffer {
  const data = Buffer.alloc(speech.length * bytesPerSample);
  speech.forEach((sample, index) => {
    write(data, index * bytesPerSample, sample);
  });
  return data;
}

async function read(file: Buffer): Promise<Float32Array> {
  return readAudio(streamOf(file, [1, 2, 3, 5, 7, 997]), { sampleRate: 24_000 });
}

describe('a WAV file', () => {
  test('of real speech gives its 16-bit samples exactly, from a path and from a pipe', async () => {
    const expected = fixtureFloats(FIXTURE);
    expect(await readAudio(fixturePath(FIXTURE), { sampleRate: 24_000 })).toEqual(expected);
    const stream = streamOf(readFileSync(fixturePath(FIXTURE)), [1, 43, 1_001, 7, 30_000]);
    expect(await readAudio(stream, { sampleRate: 24_000 })).toEqual(expected);
  });

  test('tells what it was', async () => {
    const source = await openAudio(fixturePath(FIXTURE), { sampleRate: 16_000 });
    await source.close();
    expect(source.info).toEqual({
      container: 'wav',
      codec: 'pcm_s16',
      sampleRate: 24_000,
      channels: 1,
      durationSeconds: fixtureSamples(FIXTURE).length / 24_000,
    });
  });

  const sixteenBits = encoded((data, offset, sample) => data.writeInt16LE(sample, offset), 2);
  const exact = Float32Array.from(speech, (sample) => sample / 32_768);
  const formats: [string, Buffer, WavParts][] = [
    ['16-bit', sixteenBits, {}],
    ['16-bit extensible', sixteenBits, { extensible: true }],
    ['24-bit', encoded((data, offset, sample) => data.writeIntLE(sample * 256, offset, 3), 3), { bits: 24 }],
    [
      '24-bit extensible',
      encoded((data, offset, sample) => data.writeIntLE(sample * 256, offset, 3), 3),
      { bits: 24, extensible: true },
    ],
    [
      '32-bit',
      encoded((data, offset, sample) => data.writeInt32LE(sample * 65_536, offset), 4),
      { bits: 32 },
    ],
    [
      'float',
      encoded((data, offset, sample) => data.writeFloatLE(sample / 32_768, offset), 4),
      { bits: 32, formatTag: 3 },
    ],
    [
      'float extensible',
      encoded((data, offset, sample) => data.writeFloatLE(sample / 32_768, offset), 4),
      { bits: 32, formatTag: 3, extensible: true },
    ],
    [
      'double',
      encoded((data, offset, sample) => data.writeDoubleLE(sample / 32_768, offset), 8),
      { bits: 64, formatTag: 3 },
    ],
  ];
  test.each(formats)('of %s samples gives the same values', async (_name, data, parts) => {
    expect(await read(wavFile(data, parts))).toEqual(exact);
  });

  test('of 8-bit samples is centred on 128', async () => {
    const data = Buffer.from([0, 64, 128, 192, 255]);
    expect([...(await read(wavFile(data, { bits: 8 })))]).toEqual([-1, -0.5, 0, 0.5, 127 / 128]);
  });

  test('of 24-bit samples keeps the sign of the lowest value', async () => {
    const data = Buffer.from([0x00, 0x00, 0x80, 0xff, 0xff, 0x7f]);
    const samples = await read(wavFile(data, { bits: 24 }));
    expect([...samples]).toEqual([-1, Math.fround(8_388_607 / 8_388_608)]);
  });

  test('of several channels becomes their mean', async () => {
    const data = Buffer.alloc(speech.length * 6);
    speech.forEach((sample, index) => {
      data.writeInt16LE(sample, index * 6);
      data.writeInt16LE(Math.trunc(sample / 2), index * 6 + 2);
      data.writeInt16LE(0, index * 6 + 4);
    });
    const expected = Float32Array.from(speech, (sample) => (sample + Math.trunc(sample / 2)) / 32_768 / 3);
    const samples = await read(wavFile(data, { channels: 3 }));
    samples.forEach((sample, index) => {
      expect(sample).toBeCloseTo(expected[index] ?? NaN, 6);
    });
    expect(samples.length).toBe(speech.length);
  });

  test('may hold other chunks, of odd length too, before and after its samples', async () => {
    const file = wavFile(sixteenBits, {
      before: chunk('JUNK', Buffer.alloc(29, 1)),
      between: Buffer.concat([chunk('bext', Buffer.alloc(603, 2)), chunk('LIST', Buffer.alloc(100_001, 3))]),
      after: chunk('id3 ', Buffer.alloc(5_001, 4)),
    });
    expect(await read(file)).toEqual(exact);
  });

  test.each([
    ['all ones', { dataBytes: 0xffff_ffff, riffBytes: 0xffff_ffff }],
    ['zero', { dataBytes: 0, riffBytes: 0 }],
    ['what SoX writes', { dataBytes: 0x7fff_f000, riffBytes: 0x7fff_f024 }],
    ['what arecord writes', { dataBytes: 0x8000_0000, riffBytes: 0x8000_0024 }],
  ])('written to a pipe, with sizes of %s, is read to its end', async (_name, parts) => {
    expect(await read(wavFile(sixteenBits, parts))).toEqual(exact);
  });

  test('beyond full scale is clamped', async () => {
    const data = Buffer.alloc(12);
    [1.5, -2, 0.25].forEach((sample, index) => data.writeFloatLE(sample, index * 4));
    expect([...(await read(wavFile(data, { bits: 32, formatTag: 3 })))]).toEqual([1, -1, 0.25]);
  });
});

describe('a bad WAV file ends in a clear error', () => {
  const good = wavFile(Buffer.alloc(2_000, 1));

  test.each<[string, Buffer, string, RegExp]>([
    ['empty', Buffer.alloc(0), 'bad_audio', /it is empty/],
    ['cut in the first chunk', good.subarray(0, 20), 'bad_audio', /cut off in the "fmt " chunk/],
    ['cut before its samples', good.subarray(0, 38), 'bad_audio', /cut off in the chunks before "data"/],
    ['cut right after its header', good.subarray(0, 44), 'bad_audio', /says 2000 bytes.*only 0 are there/],
    ['cut in its samples', good.subarray(0, 1_045), 'bad_audio', /says 2000 bytes.*only 1001 are there/],
    ['without samples', wavFile(Buffer.alloc(0)), 'bad_audio', /holds no samples/],
    ['of 0 channels', wavFile(Buffer.alloc(8), { channels: 0 }), 'bad_audio', /0 channels/],
    [
      'of 65535 channels',
      wavFile(Buffer.alloc(8), { channels: 65_535, blockBytes: 2 }),
      'unsupported_audio',
      /65535/,
    ],
    ['of 0 Hz', wavFile(Buffer.alloc(8), { sampleRate: 0 }), 'bad_audio', /0 Hz/],
    [
      'of 4 kHz',
      wavFile(Buffer.alloc(8), { sampleRate: 4_000 }),
      'unsupported_audio',
      /between 8000 and 192000/,
    ],
    [
      'of 4 GHz',
      wavFile(Buffer.alloc(8), { sampleRate: 4_000_000_000 }),
      'unsupported_audio',
      /4000000000 Hz/,
    ],
    [
      'that contradicts itself',
      wavFile(Buffer.alloc(8), { blockBytes: 7 }),
      'bad_audio',
      /contradicts itself/,
    ],
    [
      'without a format',
      Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), chunk('data', Buffer.alloc(8))]),
      'bad_audio',
      /no "fmt " chunk/,
    ],
    [
      'with its format out of reach',
      wavFile(Buffer.alloc(8), { before: chunk('JUNK', Buffer.alloc(70_000)) }),
      'bad_audio',
      /no "fmt " chunk at its start/,
    ],
    [
      'with NaN samples',
      wavFile(Buffer.from([0, 0, 0, 0, 0, 0, 0xc0, 0x7f]), { bits: 32, formatTag: 3 }),
      'bad_audio',
      /sample 1 is not a finite number/,
    ],
  ])('%s', async (name, file, code, message) => {
    const path = directory.path(`${name.replaceAll(' ', '-')}.wav`);
    writeFileSync(path, file);
    const fromPath = await errorOf(readAudio(path, { sampleRate: 24_000 }));
    expect(fromPath.code).toBe(code);
    expect(fromPath.message).toMatch(message);
    expect(fromPath.message).toContain(path);
    const fromPipe = await errorOf(readAudio(streamOf(file), { sampleRate: 24_000, name: 'piped' }));
    expect(fromPipe.code).toBe(code);
    expect(fromPipe.message).toMatch(message);
    expect(fromPipe.message).toContain('piped');
  });

  test('a truncated one from a pipe gives what is there first', async () => {
    const source = await openAudio(streamOf(good.subarray(0, 1_044)), { sampleRate: 24_000 });
    let samples = 0;
    const reading = (async () => {
      for await (const piece of source) samples += piece.length;
    })();
    expect((await errorOf(reading)).code).toBe('bad_audio');
    expect(samples).toBe(500);
  });
});
