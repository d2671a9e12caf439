import { writeFileSync } from 'node:fs';
import { decodeWithFfmpeg } from '../../../codec/audio/ffmpeg.js';
import { findFfmpeg } from '../../../codec/audio/ffmpegBinary.js';
import { failureCause, inputDetails } from '../../../codec/audio/ffmpegReport.js';
import { childProcessCount, errorOf, temporaryDirectory } from './audioFiles.js';

const directory = temporaryDirectory();
const environment = { ...process.env };
afterAll(directory.remove);
afterEach(() => {
  process.env = { ...environment };
});

function fakeFfmpeg(name: string, script: string): string {
  const path = directory.path(name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

describe('the ffmpeg that is used', () => {
  test('is the one that TESSERA_FFMPEG names', () => {
    const path = fakeFfmpeg('chosen', 'exit 0');
    process.env['TESSERA_FFMPEG'] = path;
    expect(findFfmpeg()).toBe(path);
  });

  test('is never another one than it names', async () => {
    process.env['TESSERA_FFMPEG'] = directory.path('not-there');
    const error = await errorOf(Promise.resolve().then(findFfmpeg));
    expect(error).toMatchObject({ code: 'unsupported_audio', message: expect.stringMatching(/not-there/) });
  });

  test('is else the first on the PATH, else the packaged one', () => {
    delete process.env['TESSERA_FFMPEG'];
    const path = fakeFfmpeg('ffmpeg', 'exit 0');
    process.env['PATH'] = `/nowhere:${directory.path('.')}`;
    expect(findFfmpeg()).toBe(path);
    process.env['PATH'] = '/nowhere';
    expect(findFfmpeg()).toMatch(/@livekit/);
  });
});

test('an ffmpeg that hangs is stopped', async () => {
  process.env['TESSERA_FFMPEG'] = fakeFfmpeg(
    'hanging',
    [
      'case "$*" in',
      '  *-formats*) echo " DE wav             WAV" ;;',
      '  *-encoders*) echo " A....D pcm_f32le            PCM" ;;',
      '  *) exec sleep 600 ;;',
      'esac',
    ].join('\n'),
  );
  const decoding = await decodeWithFfmpeg('some.mp3', { name: 'some.mp3', stallMs: 50 });
  const error = await errorOf(decoding.done);
  expect(error).toMatchObject({
    code: 'bad_audio',
    message: expect.stringMatching(/some\.mp3: ffmpeg made no progress/),
  });
  expect(await decoding.details).toEqual({});
  await decoding.close();
  expect(await childProcessCount()).toBe(0);
});

describe("ffmpeg's log", () => {
  // Copied from ffmpeg 5.1 and 7.1.
  test.each([
    [
      'a codec it lacks',
      "Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'a.m4a':\n[aist#0:0/aac @ 0x1b] Decoding requested, but no decoder found for: aac\nError opening output file pipe:1.",
      { reason: 'no decoder found for: aac', code: 'unsupported_audio' },
    ],
    [
      'something unknown',
      '[in#0 @ 0x2f] Error opening input: Invalid data found when processing input\nError opening input file a.txt.',
      { reason: 'Invalid data found when processing input', code: 'unsupported_audio' },
    ],
    [
      'damaged data in a known container',
      "Input #0, flac, from 'a.flac':\nError while decoding stream #0:0: Invalid data found when processing input\nConversion failed!",
      { reason: 'Invalid data found when processing input', code: 'bad_audio' },
    ],
    [
      'an index that is missing',
      '[mov,mp4,m4a,3gp,3g2,mj2 @ 0x5d] moov atom not found\npipe:0: Invalid data found when processing input',
      { reason: 'moov atom not found', code: 'bad_audio' },
    ],
    [
      'video without sound',
      "Input #0, matroska,webm, from 'a.webm':\nStream map '0:a:0' matches no streams.\nTo ignore this, add a trailing '?' to the map.",
      { reason: "Stream map '0:a:0' matches no streams", code: 'unsupported_audio' },
    ],
    [
      'something else',
      '[ogg @ 0x5d] Something rare\nConversion failed!\n',
      { reason: 'Something rare', code: 'bad_audio' },
    ],
    ['nothing', '', { reason: 'no reason given', code: 'bad_audio' }],
  ])('of %s tells the cause', (_name, log, cause) => {
    expect(failureCause(log)).toEqual(cause);
  });

  test('tells what the input is', () => {
    expect(inputDetails({ format: 'mp3', audio: 'mp3 (mp3float)', duration: '01:02:03.50' })).toEqual({
      container: 'mp3',
      codec: 'mp3',
      durationSeconds: 3_723.5,
    });
    expect(inputDetails({ format: 'ogg', audio: 'opus', duration: 'N/A' })).toEqual({
      container: 'ogg',
      codec: 'opus',
    });
    expect(inputDetails(undefined)).toEqual({});
  });
});
