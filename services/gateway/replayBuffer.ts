import type { Packet } from './packetizer.js';

/** Memory of a kept packet besides its bytes. */
const PACKET_OVERHEAD_BYTES = 128;

/** The newest packets of a session, kept for a client that comes back, until it has acknowledged them. */
export class ReplayBuffer {
  readonly #maxBytes: number;
  #packets: Packet[] = [];
  #bytes = 0;

  /** Beyond `maxBytes` the oldest packets are let go; 0 keeps none. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Appends a packet that follows the last one. */
  add(packet: Packet): void {
    this.#packets.push(packet);
    this.#bytes += packet.bytes.length + PACKET_OVERHEAD_BYTES;
    let excess = 0;
    for (; this.#bytes > this.#maxBytes; excess += 1) this.#bytes -= costOf(this.#packets[excess]);
    if (excess > 0) this.#packets.splice(0, excess);
  }

  /** Lets go of what was received: all packets that end at `nextFrameIndex` or before. */
  acknowledge(nextFrameIndex: number): void {
    const kept = this.#packets.findIndex(
      ({ firstFrameIndex, frameCount }) => firstFrameIndex + frameCount > nextFrameIndex,
    );
    const done = this.#packets.splice(0, kept < 0 ? this.#packets.length : kept);
    for (const packet of done) this.#bytes -= costOf(packet);
  }

  /** The kept packets that begin at `nextFrameIndex` or later. */
  from(nextFrameIndex: number): readonly Packet[] {
    return this.#packets.filter(({ firstFrameIndex }) => firstFrameIndex >= nextFrameIndex);
  }
}

function costOf(packet: Packet | undefined): number {
  return packet ? packet.bytes.length + PACKET_OVERHEAD_BYTES : 0;
}
