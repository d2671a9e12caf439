import { TokenDecoder, TokenEncoder, type EntropyTables } from '../../codec/entropy/index.js';
import { loadEntropyTables } from '../../codec/entropyTables.js';
import { TesseraError, type CodedRun, type ContainerEvent, type TokenBlock } from '../../protocol/index.js';
import type { ContainerFile } from './containerFile.js';

/** Where the header of a file says by which tables its packets are coded: their hex SHA-256. */
export const TABLES_KEY = 'entropyTables';

/** Sound in a packet: long enough to learn the speaker, short enough to lose little where a file is cut off. */
const PACKET_SECONDS = 5;

/** Gathers the blocks of a recording into packets that stand alone. */
export class CodedPackets {
  readonly #encoder: TokenEncoder;
  readonly #maxFrames: number;
  #blocks: TokenBlock[] = [];
  #frames = 0;

  /** `frameRate` in Hz. */
  constructor(tables: EntropyTables, frameRate: number) {
    this.#encoder = new TokenEncoder(tables);
    this.#maxFrames = Math.round(PACKET_SECONDS * frameRate);
  }

  /** @returns the packet that is complete now, if any; blocks are never split. */
  add(block: TokenBlock): CodedRun | undefined {
    this.#blocks.push(block);
    this.#frames += block.frameCount;
    return this.#frames >= this.#maxFrames ? this.cut() : undefined;
  }

  /** @returns what waits; undefined when nothing does. */
  cut(): CodedRun | undefined {
    const blocks = this.#blocks;
    this.#blocks = [];
    this.#frames = 0;
    return blocks.length === 0 ? undefined : this.#encoder.encode(blocks, { isFresh: true });
  }
}

/**
 * What follows a file's header, its coded packets read by the tables of `model` (a name or a folder).
 * @throws TesseraError what `ContainerFile.events` and `loadEntropyTables` throw; `model_mismatch` where the packets were
 * coded by other tables.
 */
export async function* readEvents(
  file: ContainerFile,
  model: string | undefined,
): AsyncGenerator<Exclude<ContainerEvent, { kind: 'coded' }>> {
  const digest = file.header.metadata[TABLES_KEY];
  const tables = digest === undefined ? undefined : await loadEntropyTables(model, digest);
  const decoder = tables && new TokenDecoder(tables);
  for await (const event of file.events()) {
    if (event.kind !== 'coded') yield event;
    else if (decoder) {
      const { byteOffset, byteLength } = event;
      for (const block of decodeRun(decoder, event, file.name))
        yield { kind: 'tokens', block, byteOffset, byteLength };
    } else {
      throw new TesseraError(
        'model_mismatch',
        `${file.name}: its packets were coded by entropy tables that the model does not have; give its model with --model`,
      );
    }
  }
}

function decodeRun(
  decoder: TokenDecoder,
  { run, byteOffset }: Extract<ContainerEvent, { kind: 'coded' }>,
  name: string,
): TokenBlock[] {
  try {
    return decoder.decode(run);
  } catch (error) {
    const { message } = TesseraError.from(error);
    throw new TesseraError(
      'bad_container',
      `${name}: the packet at byte ${byteOffset} is damaged: ${message}`,
      {
        cause: error,
      },
    );
  }
}
