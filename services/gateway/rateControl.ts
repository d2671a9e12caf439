import { bitsPerCode } from '../../protocol/bitPacking.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { QuantizerRange } from '../../protocol/options.js';
import { takeQuantizers, type TokenBlock } from '../../protocol/tokens.js';
import { AckTimer, PacedOutput } from '../bitrate/index.js';
import type { Logger } from '../log.js';
import type { OutputQueue } from './outputQueue.js';
import type { Packet, Packetizer } from './packetizer.js';
import type { Acknowledgement } from './sessionContext.js';

/** Sound in the longest packets of a client that names no number of frames. */
const DEFAULT_PACKET_MS = 120;

/** Most frames that a packet gathers under rate control. */
export function maxFramesUnderControl(
  asked: number | undefined,
  model: ModelSummary,
  maxFramesPerPacket: number,
): number {
  const frames = Math.max(1, Math.floor((DEFAULT_PACKET_MS * model.frameRate) / 1000));
  return asked ?? Math.min(frames, maxFramesPerPacket);
}

/** Lets the link decide how many codebooks and frames the packets of a session have, and when they go. */
export class RateControl {
  readonly #output: OutputQueue;
  readonly #packetizer: Packetizer;
  readonly #paced: PacedOutput<Packet & { readonly askedCodes: number }>;
  readonly #frameMs: number;
  #ackTimer: AckTimer;

  /** `log` gets every decision at level debug. */
  constructor(
    output: OutputQueue,
    packetizer: Packetizer,
    options: {
      readonly model: ModelSummary;
      readonly range: QuantizerRange;
      readonly maxFramesPerPacket: number;
      readonly log: Logger;
    },
  ) {
    const { model, range, maxFramesPerPacket, log } = options;
    this.#output = output;
    this.#packetizer = packetizer;
    this.#frameMs = 1000 / model.frameRate;
    this.#ackTimer = new AckTimer(this.#frameMs);
    const settings = {
      ...range,
      maxFramesPerPacket,
      frameMs: this.#frameMs,
      bitsPerCode: bitsPerCode(model.codebookSize),
    };
    this.#paced = new PacedOutput(settings, performance.now(), {
      send: (packet) => output.packet(packet),
      drop: (firstFrameIndex, frameCount) => output.drop(firstFrameIndex, frameCount),
      ...(log.isLevelEnabled('debug')
        ? { onDecision: (feedback, decision) => log.debug({ feedback, decision }, 'rate') }
        : {}),
    });
  }

  /** Takes note that frames are there, and cuts them to what the packet that they join may have. */
  cut(block: TokenBlock): TokenBlock {
    this.#paced.feedback({
      kind: 'tick',
      nowMs: performance.now(),
      bufferedBytes: this.#output.pendingBytes,
    });
    // Only between packets: all frames of one have the same codebooks.
    if (this.#packetizer.pendingFrames === 0) {
      this.#packetizer.framesPerPacket = this.#paced.shape.framesPerPacket;
      this.#quantizers = this.#paced.shape.quantizers;
    }
    return takeQuantizers(block, this.#quantizers);
  }
  #quantizers = 1;

  /** Sends a packet now, or when the link has room. */
  packet(packet: Packet): void {
    const { firstFrameIndex, frameCount, bytes } = packet;
    const askedCodes = frameCount * this.#quantizers;
    const nowMs = performance.now();
    this.#ackTimer.made(firstFrameIndex + frameCount, nowMs);
    this.#paced.packet({ firstFrameIndex, frameCount, bytes, askedCodes }, nowMs);
  }

  /** Sends all that waits: a message has to come behind it. */
  release(): void {
    this.#paced.release(performance.now());
  }

  /** Learns from what the client has got. */
  acknowledge(acknowledgement: Acknowledgement): void {
    const { nextFrameIndex, bufferMs, arrivalMs, saidMs, receivedMs: nowMs } = acknowledgement;
    const heldMs = arrivalMs === undefined || saidMs === undefined ? 0 : Math.max(0, saidMs - arrivalMs);
    const came = arrivalMs === undefined ? {} : { arrivalMs, heldMs };
    this.#paced.feedback({ kind: 'ack', nowMs, nextFrameIndex, bufferMs, ...came });
    // Who says when it speaks also reads when it should.
    const timing = saidMs === undefined ? undefined : this.#ackTimer.heard(saidMs, nowMs);
    if (timing) this.#output.message(() => ({ type: 'ack_timing', ...timing }), { replaces: 'ack_timing' });
  }

  /** Another range of codebooks. */
  setRange(range: QuantizerRange): void {
    this.#paced.setRange(range);
  }

  /** The connection is gone, or another one. */
  restart(): void {
    this.#paced.restart(performance.now());
    this.#ackTimer = new AckTimer(this.#frameMs);
  }
}
