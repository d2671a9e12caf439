import { readFile, writeFile } from 'node:fs/promises';
import { decodePcm, encodePcm } from '../../../protocol/index.js';
import { readAudio, writeAudio } from '../../../codec/index.js';
import { amrRivals } from './amr.js';
import { oggPayloadBytes } from './ogg.js';
import { inFolder, missingPrograms, runProgram, type Rival, type Row } from './rival.js';

/** The codecs that are run as programs, as far as this machine has them. */
export async function programRivals(): Promise<Rival[]> {
  const rivals = [
    { name: 'Opus', programs: ['opusenc', 'opusdec'], rows: OPUS },
    { name: 'Speex', programs: ['speexenc', 'speexdec', 'sox'], rows: SPEEX },
    { name: 'Codec 2', programs: ['c2enc', 'c2dec', 'sox'], rows: CODEC2 },
  ];
  const found = await Promise.all(
    rivals.map(async ({ name, programs, rows }) => {
      const missing = await missingPrograms(programs);
      return missing.length === 0 ? { name, rows } : { name, rows: [], absence: `no ${missing.join(', ')}` };
    }),
  );
  return [...found, ...(await amrRivals())];
}

/** Opus by opus-tools: speech, 20 ms packets. */
const OPUS = [6, 8, 12, 16].map((kbps) =>
  oggRow('Opus', `Opus ${kbps}`, async (wav, coded, decoded, sampleRate) => {
    const mode = ['--speech', '--framesize', '20', '--bitrate', String(kbps)];
    return (
      (await runProgram('opusenc', '--quiet', ...mode, wav, coded)) +
      (await runProgram('opusdec', '--quiet', '--rate', String(sampleRate), coded, decoded))
    );
  }),
);

/** Speex by speex-tools: wide band. */
const SPEEX = [0, 2, 4].map((quality) =>
  oggRow('Speex', `Speex wide band, quality ${quality}`, async (wav, coded, decoded) => {
    const wide = `${wav}.16k.wav`;
    await runProgram('sox', wav, '-r', '16000', wide);
    return (
      (await runProgram('speexenc', '-w', '--quality', String(quality), wide, coded)) +
      (await runProgram('speexdec', coded, decoded))
    );
  }),
);

/** Codec 2 at 8 kHz: its files hold the bits of its frames, each frame in whole bytes, so the rate is its nominal one. */
const CODEC2 = ['700C', '1300', '2400', '3200'].map((mode): Row => ({
  name: `Codec 2 ${mode}`,
  family: 'Codec 2',
  // Those of the best mean STOI over held-out speech; 2400 has the frames of 3200.
  delayMs: mode === '700C' ? 30 : 20,
  code: (speech, sampleRate) =>
    inFolder(async (pathOf) => {
      await writeFile(pathOf('in.raw'), encodePcm(speech, 'pcm_s16le'));
      await runProgram('sox', ...rawAt(sampleRate), pathOf('in.raw'), ...rawAt(8000), pathOf('8k.raw'));
      const workMs =
        (await runProgram('c2enc', mode, pathOf('8k.raw'), pathOf('coded'))) +
        (await runProgram('c2dec', mode, pathOf('coded'), pathOf('decoded.raw')));
      await runProgram('sox', ...rawAt(8000), pathOf('decoded.raw'), ...rawAt(sampleRate), pathOf('out.raw'));
      const samples = decodePcm(await readFile(pathOf('out.raw')), 'pcm_s16le');
      return { samples, bits: (parseInt(mode, 10) * speech.length) / sampleRate, workMs };
    }),
}));

function oggRow(
  family: string,
  name: string,
  run: (wav: string, coded: string, decoded: string, sampleRate: number) => Promise<number>,
): Row {
  return {
    name,
    family,
    code: (speech, sampleRate) =>
      inFolder(async (pathOf) => {
        await writeAudio(pathOf('in.wav'), speech, { sampleRate });
        const workMs = await run(pathOf('in.wav'), pathOf('coded'), pathOf('out.wav'), sampleRate);
        const samples = await readAudio(pathOf('out.wav'), { sampleRate });
        const payload = oggPayloadBytes(new Uint8Array(await readFile(pathOf('coded'))));
        return { samples, bits: 8 * payload, workMs };
      }),
  };
}

function rawAt(sampleRate: number): string[] {
  return ['-t', 'raw', '-e', 'signed', '-b', '16', '-c', '1', '-r', String(sampleRate)];
}
