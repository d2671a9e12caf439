import { sliceFrames, type TokenBlock } from '../../protocol/tokens.js';
import type { TokenPacker } from './packetizer.js';

/** So many packets are kept, and the cuts made beside them; subscribers want those of the last frames only. */
const MAX_PACKETS = 512;
/** So many of the last blocks are kept, for packets of other depths. */
const MAX_BLOCKS = 64;

/** Packets of the same frames. */
interface Family {
  /** By their depths. */
  readonly packets: Map<string, Uint8Array>;
  /** Those of one depth for all frames, cut to 1, 2 and so on codebooks. */
  cuts: readonly Uint8Array[] | undefined;
}

/** The last packets of a published stream, so that subscribers who want the same one share its bytes. */
export class SharedPackets {
  /** By coding, first frame and number of frames. */
  readonly #families = new Map<string, Family>();
  readonly #blocks: TokenBlock[] = [];
  #packetCount = 0;

  /** The stream has these frames, before anyone has cut them. */
  note(block: TokenBlock): void {
    this.#blocks.push(block);
    if (this.#blocks.length > MAX_BLOCKS) this.#blocks.shift();
  }

  /**
   * The packet of blocks of the stream that follow each other, made by `packer` unless that was done before. Not to be
   * changed: others get the same bytes.
   */
  pack(packer: TokenPacker, blocks: readonly TokenBlock[]): Uint8Array {
    if (!packer.standsAlone) return packer.pack(blocks);
    const family = this.#familyOf(packer, blocks);
    const depths = depthsOf(blocks);
    const quantizers = evenDepth(blocks);
    const made = family.packets.get(depths) ?? (quantizers && family.cuts?.[quantizers - 1]);
    if (made) return made;
    // The second depth of these frames: others will follow.
    if (quantizers && packer.packCuts && family.packets.size > 0 && family.cuts === undefined) {
      const whole = this.#published(blocks);
      family.cuts = whole ? packer.packCuts(whole) : [];
      const cut = family.cuts[quantizers - 1];
      if (cut) return cut;
    }
    const bytes = packer.pack(blocks);
    family.packets.set(depths, bytes);
    this.#packetCount += 1;
    this.#forget();
    return bytes;
  }

  #familyOf({ coding }: TokenPacker, blocks: readonly TokenBlock[]): Family {
    const key = `${coding} ${blocks[0]?.firstFrameIndex ?? 0} ${countFrames(blocks)}`;
    const known = this.#families.get(key);
    if (known) return known;
    const family: Family = { packets: new Map(), cuts: undefined };
    this.#families.set(key, family);
    return family;
  }

  /** The same frames as they were published; undefined where they differ in depth, or are no longer there. */
  #published(blocks: readonly TokenBlock[]): readonly TokenBlock[] | undefined {
    const first = blocks[0]?.firstFrameIndex ?? 0;
    const frameCount = countFrames(blocks);
    const whole = this.#blocks
      .map((block) => sliceFrames(block, first, first + frameCount))
      .filter((block) => block !== undefined);
    return countFrames(whole) === frameCount && evenDepth(whole) !== undefined ? whole : undefined;
  }

  #forget(): void {
    for (const [key, { packets }] of this.#families) {
      if (this.#packetCount <= MAX_PACKETS) return;
      this.#families.delete(key);
      this.#packetCount -= packets.size;
    }
  }
}

function countFrames(blocks: readonly TokenBlock[]): number {
  return blocks.reduce((total, { frameCount }) => total + frameCount, 0);
}

/** How many codebooks all frames have; undefined where they differ. */
function evenDepth(blocks: readonly TokenBlock[]): number | undefined {
  const quantizers = blocks[0]?.quantizers;
  return blocks.every((block) => block.quantizers === quantizers) ? quantizers : undefined;
}

/** Names the depths of all frames: blocks that only lie otherwise get the same name. */
function depthsOf(blocks: readonly TokenBlock[]): string {
  const even = evenDepth(blocks);
  if (even !== undefined) return String(even);
  let name = '';
  for (let at = 0; at < blocks.length;) {
    const quantizers = blocks[at]?.quantizers;
    let frameCount = 0;
    for (; at < blocks.length && blocks[at]?.quantizers === quantizers; at += 1) {
      frameCount += blocks[at]?.frameCount ?? 0;
    }
    name += ` ${frameCount}x${quantizers}`;
  }
  return name;
}
