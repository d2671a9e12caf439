import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { getFfmpegPath as getPackagedFfmpegPath } from '@livekit/av';
import { TesseraError } from '../../protocol/errors.js';

/**
 * Path of the ffmpeg to run: `TESSERA_FFMPEG` where it is set, else the first on the PATH, else the small one that the
 * npm package `@livekit/av` ships.
 * @throws TesseraError `unsupported_audio` where there is none, or `TESSERA_FFMPEG` names no program.
 */
export function findFfmpeg(): string {
  const chosen = process.env['TESSERA_FFMPEG'];
  if (chosen !== undefined && chosen !== '') {
    if (isProgram(chosen)) return chosen;
    throw new TesseraError('unsupported_audio', `TESSERA_FFMPEG is ${chosen}, which is not a program.`);
  }
  const program = process.platform === 'win32' ? 'ffmpeg.exe' : 'ffmpeg';
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && isProgram(join(folder, program))) return join(folder, program);
  }
  const packaged = getPackagedFfmpegPath();
  if (packaged !== undefined && isProgram(packaged)) return packaged;
  throw new TesseraError(
    'unsupported_audio',
    'Audio other than WAV needs ffmpeg, and none was found: install it, or set TESSERA_FFMPEG to its path.',
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
