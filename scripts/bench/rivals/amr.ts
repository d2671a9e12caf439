import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { readAudio, writeAudio } from '../../../codec/index.js';
import { inFolder, missingPrograms, runProgram, type Rival, type Row } from './rival.js';

interface AmrKind {
  readonly name: string;
  /** Of ffmpeg. */
  readonly encoder: string;
  readonly sampleRate: number;
  readonly kbps: readonly number[];
  /** What its files begin with (RFC 4867, section 5). */
  readonly magic: string;
}

const KINDS: readonly AmrKind[] = [
  {
    name: 'AMR-NB',
    encoder: 'libopencore_amrnb',
    sampleRate: 8000,
    kbps: [4.75, 7.95, 12.2],
    magic: '#!AMR\n',
  },
  {
    name: 'AMR-WB',
    encoder: 'libvo_amrwbenc',
    sampleRate: 16000,
    kbps: [6.6, 8.85, 12.65],
    magic: '#!AMR-WB\n',
  },
];

const FRAME_SECONDS = 0.02;

/** AMR narrow and wide band by the encoders of ffmpeg, which many builds of it leave out. */
export async function amrRivals(): Promise<Rival[]> {
  const isThere = (await missingPrograms(['ffmpeg'])).length === 0;
  const encoders = isThere ? (await promisify(execFile)('ffmpeg', ['-hide_banner', '-encoders'])).stdout : '';
  return KINDS.map((kind) => {
    if (encoders.includes(kind.encoder)) return { name: kind.name, rows: kind.kbps.map(amrRow(kind)) };
    const absence = isThere ? `the ffmpeg on the PATH has no encoder ${kind.encoder}` : 'no ffmpeg';
    return { name: kind.name, rows: [], absence };
  });
}

function amrRow({ name, encoder, sampleRate: amrRate, magic }: AmrKind): (kbps: number) => Row {
  return (kbps) => ({
    name: `${name} ${kbps}`,
    family: name,
    code: (speech, sampleRate) =>
      inFolder(async (pathOf) => {
        await writeAudio(pathOf('in.wav'), speech, { sampleRate });
        await runProgram(
          'ffmpeg',
          '-v',
          'error',
          '-i',
          pathOf('in.wav'),
          '-ar',
          String(amrRate),
          pathOf('amr.wav'),
        );
        const encode = ['-v', 'error', '-i', pathOf('amr.wav'), '-c:a', encoder, '-b:a', `${kbps}k`];
        const workMs =
          (await runProgram('ffmpeg', ...encode, pathOf('coded.amr'))) +
          (await runProgram('ffmpeg', '-v', 'error', '-i', pathOf('coded.amr'), pathOf('out.wav')));
        const file = await readFile(pathOf('coded.amr'));
        const samples = await readAudio(pathOf('out.wav'), { sampleRate });
        return { samples, bits: kbps * 1000 * FRAME_SECONDS * amrFrames(file, magic, kbps), workMs };
      }),
  });
}

/**
 * Frames of an AMR file, which have a header of one byte and fill up their last: so the bits of a frame are those of its mode.
 * @throws Error where the file is another, or its frames are not all of this mode.
 */
function amrFrames(file: Uint8Array, magic: string, kbps: number): number {
  const size = 1 + Math.ceil((kbps * 1000 * FRAME_SECONDS) / 8);
  const frames = (file.length - magic.length) / size;
  if (
    !new TextDecoder().decode(file.subarray(0, magic.length)).startsWith(magic) ||
    !Number.isInteger(frames)
  ) {
    throw new Error(`No AMR file of frames of ${size} bytes`);
  }
  return frames;
}
