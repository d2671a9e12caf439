import type { TokenBlock } from '../../protocol/tokens.js';
import type { TokenPacker } from './packetizer.js';

/** So many packets are kept; subscribers want those of the last frames only. */
const MAX_PACKETS = 512;

/** The last packets of a published stream, so that subscribers who want the same one share its bytes. */
export class SharedPackets {
  readonly #packets = new Map<string, Uint8Array>();

  /**
   * The packet of blocks of the stream that follow each other, made by `packer` unless that was done before. Not to be
   * changed: others get the same bytes.
   */
  pack(packer: TokenPacker, blocks: readonly TokenBlock[]): Uint8Array {
    if (!packer.standsAlone) return packer.pack(blocks);
    const key = keyOf(packer, blocks);
    const made = this.#packets.get(key);
    if (made) return made;
    const bytes = packer.pack(blocks);
    this.#packets.set(key, bytes);
    if (this.#packets.size > MAX_PACKETS) {
      for (const oldest of this.#packets.keys()) {
        this.#packets.delete(oldest);
        break;
      }
    }
    return bytes;
  }
}

/** Coding, first frame and depths name a packet: a stream has every frame once. */
function keyOf({ coding }: TokenPacker, blocks: readonly TokenBlock[]): string {
  let key = `${coding} ${blocks[0]?.firstFrameIndex ?? 0}`;
  for (let at = 0; at < blocks.length;) {
    const quantizers = blocks[at]?.quantizers;
    let frameCount = 0;
    for (; at < blocks.length && blocks[at]?.quantizers === quantizers; at += 1) {
      frameCount += blocks[at]?.frameCount ?? 0;
    }
    key += ` ${frameCount}x${quantizers}`;
  }
  return key;
}
