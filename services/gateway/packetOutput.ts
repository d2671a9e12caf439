import type { EntropyTables } from '../../codec/entropy/index.js';
import type { BitrateRange, OpenMessage } from '../../protocol/clientMessages.js';
import { isPcmFormat, type QuantizerRange } from '../../protocol/options.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { EngineResult } from '../engine/index.js';
import type { Logger } from '../log.js';
import type { OutputQueue } from './outputQueue.js';
import { CodedPacker, tablesFor, WindowPacketizer } from './codedPacker.js';
import {
  PcmPacketizer,
  plainPacker,
  TokenPacketizer,
  type Packetizer,
  type SoundRange,
} from './packetizer.js';
import { maxFramesUnderControl, RateControl } from './rateControl.js';
import type { Acknowledgement } from './sessionContext.js';
import type { SharedPackets } from './sharedPackets.js';

/** What a {@link PacketOutput} works with. */
export interface PacketOutputOptions {
  readonly queue: OutputQueue;
  readonly model: ModelSummary;
  /** Of the model; needed for entropy coding only. */
  readonly entropyTables: EntropyTables | undefined;
  readonly range: QuantizerRange;
  /** Of the server. */
  readonly maxFramesPerPacket: number;
  readonly log: Logger;
  /** What of the frames that are added now is sound, where the output is PCM. */
  readonly sound: () => SoundRange;
  /** Of the stream that it is subscribed to. */
  readonly shared: () => SharedPackets | undefined;
}

/** From results of the codec to packets in the queue, with the link's say about their size where it is asked for. */
export class PacketOutput {
  /** Of packets; under rate control, the most. */
  readonly framesPerPacket: number;
  readonly #options: PacketOutputOptions;
  readonly #packetizer: Packetizer;
  /** The same, where tokens are gathered that others may get too. */
  readonly #shareable: TokenPacketizer | undefined;
  readonly #packer: CodedPacker | undefined;
  /** While the link decides. */
  #control: RateControl | undefined;

  constructor({ output, bitrate }: OpenMessage, options: PacketOutputOptions) {
    const { model, maxFramesPerPacket, sound, range, shared } = options;
    this.#options = options;
    this.framesPerPacket =
      bitrate?.control === 'adaptive'
        ? maxFramesUnderControl(output.framesPerPacket, model, maxFramesPerPacket)
        : (output.framesPerPacket ?? 1);
    const { coding, bitsPerPacket, framesPerPacket = maxFramesPerPacket } = output;
    const tables = tablesFor(coding, options.entropyTables);
    if (isPcmFormat(output.format)) {
      this.#packetizer = new PcmPacketizer(model, this.framesPerPacket, output.format, sound);
    } else if (tables && bitsPerPacket !== undefined) {
      this.framesPerPacket = framesPerPacket;
      this.#packetizer = new WindowPacketizer(tables, model, bitsPerPacket, framesPerPacket);
    } else {
      this.#packer = tables && new CodedPacker(tables, model);
      const packer = this.#packer ?? plainPacker(model);
      this.#shareable = new TokenPacketizer(packer, this.framesPerPacket, shared);
      this.#packetizer = this.#shareable;
    }
    this.setControl(bitrate?.control, range);
  }

  /** Takes the next frames. */
  add(result: Extract<EngineResult, { kind: 'tokens' | 'pcm' }>): void {
    const taken =
      this.#control && result.kind === 'tokens'
        ? { ...result, block: this.#control.cut(result.block) }
        : result;
    const way = this.#control ?? this.#options.queue;
    for (const packet of this.#packetizer.add(taken)) way.packet(packet);
  }

  /** Sends what waits: something has to come behind it. */
  cut(): void {
    const packet = this.#packetizer.cut();
    if (packet) (this.#control ?? this.#options.queue).packet(packet);
    this.#control?.release();
  }

  /** Packets were dropped: the next must not lean on them. */
  onDropped(): void {
    this.#packer?.restart();
  }

  /** Learns from what the client has got. */
  acknowledge(acknowledgement: Acknowledgement): void {
    this.#control?.acknowledge(acknowledgement);
    this.#options.queue.acknowledge(acknowledgement.nextFrameIndex);
  }

  /** The connection is gone, or another one is there: nothing is under way. */
  restart(): void {
    this.#control?.restart();
  }

  /** A new range, and who chooses within it; left out, that stays as it was. */
  setControl(control: BitrateRange['control'], range: QuantizerRange): void {
    if (control === 'fixed' && this.#control) {
      this.cut();
      this.#control = undefined;
      this.#packetizer.framesPerPacket = this.framesPerPacket;
      if (this.#shareable) this.#shareable.phase = 0;
    } else if (this.#control) {
      this.#control.setRange(range);
    } else if (control === 'adaptive') {
      const { queue, model, log } = this.#options;
      const settings = { model, range, maxFramesPerPacket: this.framesPerPacket, log };
      this.#control = new RateControl(queue, this.#packetizer, settings);
      // Of two on one link whose packets are always made at once, one would always wait for the other's.
      if (this.#shareable) this.#shareable.phase = Math.floor(Math.random() * this.framesPerPacket);
    }
    // Under control, packets that are made may be dropped before they are sent.
    if (this.#packer) this.#packer.chains = this.#control === undefined;
  }
}
