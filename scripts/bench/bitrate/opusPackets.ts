import { readFile } from 'node:fs/promises';
import { wireBytesOf } from '../../../services/bitrate/index.js';
import { oggPacketBytes } from '../rivals/ogg.js';
import { inFolder, runProgram } from '../rivals/rival.js';
import type { FixedPackets } from './senders.js';

/** Opus at the lowest rate at which its speech can be used, and where its packets come from. */
export interface OpusPackets extends FixedPackets {
  readonly bitsPerSecond: number;
  readonly source: string;
}

const BITS_PER_SECOND = 6000;
/** The longest that opusenc makes: no headers are cheaper. */
const PACKET_MS = 60;
const PACKETS_PER_MESSAGE = 2;
/** Type and index, as in a frame of tokens, and the length of the first packet. */
const MESSAGE_HEADER_BYTES = 5;

/**
 * Messages of two packets of 60 ms, with the headers that Tessera's packets have. Their sizes are those that opusenc gives for
 * a recording, or those of its nominal rate where it is missing.
 */
export async function opusPackets(recording: string, frameMs: number): Promise<OpusPackets> {
  const { sizes, source } = await packetSizes(recording);
  const wireBytes: number[] = [];
  for (let at = 0; at + PACKETS_PER_MESSAGE <= sizes.length; at += PACKETS_PER_MESSAGE) {
    const payload = sizes.slice(at, at + PACKETS_PER_MESSAGE).reduce((total, size) => total + size, 0);
    wireBytes.push(wireBytesOf(MESSAGE_HEADER_BYTES + payload));
  }
  return {
    framesPerPacket: Math.round((PACKETS_PER_MESSAGE * PACKET_MS) / frameMs),
    quantizers: 0,
    wireBytes,
    bitsPerSecond: (8000 * sizes.reduce((total, size) => total + size, 0)) / (sizes.length * PACKET_MS),
    source,
  };
}

async function packetSizes(recording: string): Promise<{ sizes: number[]; source: string }> {
  try {
    return await inFolder(async (pathOf) => {
      const mode = [
        '--speech',
        '--framesize',
        String(PACKET_MS),
        '--bitrate',
        String(BITS_PER_SECOND / 1000),
      ];
      await runProgram('opusenc', '--quiet', ...mode, recording, pathOf('coded'));
      const sizes = oggPacketBytes(new Uint8Array(await readFile(pathOf('coded'))));
      return { sizes, source: `packets of opusenc for ${recording.split('/').at(-1)}` };
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const sizes = new Array<number>(PACKETS_PER_MESSAGE).fill((BITS_PER_SECOND * PACKET_MS) / 8000);
    return { sizes, source: 'packets of its nominal rate: opusenc is missing' };
  }
}
