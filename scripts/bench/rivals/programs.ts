import { readFile, writeFile } from 'node:fs/promises';
import { decodePcm, encodePcm } from '../../../protocol/index.js';
import { readAudio } from '../../../codec/index.js';
import { oggPayloadBytes } from './ogg.js';
import { inFolder, runProgram, type Rival, type Row } from './rival.js';

/** Opus by opus-tools: speech, 20 ms packets. */
const opus: Rival = {
  name: 'Opus',
  programs: ['opusenc', 'opusdec', 'sox'],
  rows: [6, 8, 12, 16].map((kbps) =>
    oggRow(`Opus ${kbps}`, async (wav, coded, decoded, sampleRate) => {
      const mode = ['--speech', '--framesize', '20', '--bitrate', String(kbps)];
      await runProgram('opusenc', '--quiet', ...mode, wav, coded);
      await runProgram('opusdec', '--quiet', '--rate', String(sampleRate), coded, decoded);
    }),
  ),
};

/** Speex by speex-tools: wide band. */
const speex: Rival = {
  name: 'Speex',
  programs: ['speexenc', 'speexdec', 'sox'],
  rows: [2, 4].map((quality) =>
    oggRow(`Speex wide band, quality ${quality}`, async (wav, coded, decoded) => {
      const wide = `${wav}.16k.wav`;
      await runProgram('sox', wav, '-r', '16000', wide);
      await runProgram('speexenc', '-w', '--quality', String(quality), wide, coded);
      await runProgram('speexdec', coded, decoded);
    }),
  ),
};

/** Codec 2 at 8 kHz: its files hold the bits of its frames, each frame in whole bytes, so the rate is its nominal one. */
const codec2: Rival = {
  name: 'Codec 2',
  programs: ['c2enc', 'c2dec', 'sox'],
  rows: ['700C', '1300', '2400', '3200'].map((mode) => ({
    name: `Codec 2 ${mode}`,
    // Those of the best mean STOI over held-out speech; 2400 has the frames of 3200.
    delayMs: mode === '700C' ? 30 : 20,
    code: (speech, sampleRate) =>
      inFolder(async (pathOf) => {
        await writeRaw(pathOf('in.raw'), speech);
        await runProgram('sox', ...rawAt(sampleRate), pathOf('in.raw'), ...rawAt(8000), pathOf('8k.raw'));
        await runProgram('c2enc', mode, pathOf('8k.raw'), pathOf('coded'));
        await runProgram('c2dec', mode, pathOf('coded'), pathOf('decoded.raw'));
        await runProgram(
          'sox',
          ...rawAt(8000),
          pathOf('decoded.raw'),
          ...rawAt(sampleRate),
          pathOf('out.raw'),
        );
        const samples = decodePcm(await readFile(pathOf('out.raw')), 'pcm_s16le');
        return { samples, bits: (parseInt(mode, 10) * speech.length) / sampleRate };
      }),
  })),
};

/** The codecs that are run as programs. */
export const PROGRAM_RIVALS: readonly Rival[] = [opus, speex, codec2];

function oggRow(
  name: string,
  run: (wav: string, coded: string, decoded: string, sampleRate: number) => Promise<void>,
): Row {
  return {
    name,
    code: (speech, sampleRate) =>
      inFolder(async (pathOf) => {
        await writeRaw(pathOf('in.raw'), speech);
        await runProgram('sox', ...rawAt(sampleRate), pathOf('in.raw'), pathOf('in.wav'));
        await run(pathOf('in.wav'), pathOf('coded'), pathOf('out.wav'), sampleRate);
        const samples = await readAudio(pathOf('out.wav'), { sampleRate });
        const payload = oggPayloadBytes(new Uint8Array(await readFile(pathOf('coded'))));
        return { samples, bits: 8 * payload };
      }),
  };
}

function rawAt(sampleRate: number): string[] {
  return ['-t', 'raw', '-e', 'signed', '-b', '16', '-c', '1', '-r', String(sampleRate)];
}

async function writeRaw(path: string, speech: Float32Array): Promise<void> {
  await writeFile(path, encodePcm(speech, 'pcm_s16le'));
}
