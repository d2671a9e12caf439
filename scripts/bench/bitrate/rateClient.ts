import { once } from 'node:events';
import { WebSocket } from 'ws';
import {
  decodeServerFrame,
  encodeFrame,
  encodeMessage,
  encodePcm,
  parseServerMessage,
  SUBPROTOCOL,
  type OpenMessage,
  type ServerMessageOf,
} from '../../../protocol/index.js';
import { TCP_IP_HEADER_BYTES, wireBytesOf } from '../../../services/bitrate/index.js';
import { Acknowledgements } from '../../../sdk/acknowledgements.js';
import type { Delivery } from './linkModel.js';

/** A packet that a client received. */
export interface ReceivedPacket {
  readonly firstFrameIndex: number;
  readonly frameCount: number;
  /** 0 for a gap. */
  readonly quantizers: number;
  readonly frameBytes: number;
  /** When the link began with it, and when it was here, as {@link wallMs}. */
  readonly startMs: number;
  readonly arrivalMs: number;
}

/** Milliseconds of the machine's clock, the same in all its processes; it does not jump while they run. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Of what the socket gives at once. */
const NOW = (): Delivery => {
  const nowMs = wallMs();
  return { startMs: nowMs, arrivalMs: nowMs };
};

/** A client over a real socket that gets tokens, and acknowledges them as the SDK does where it is asked to. */
export class RateClient {
  readonly opened: ServerMessageOf<'opened'>;
  readonly packets: ReceivedPacket[] = [];
  /** When each frame of input was sent, as {@link wallMs}. */
  readonly sentMs: number[] = [];
  readonly #socket: WebSocket;

  private constructor(
    socket: WebSocket,
    opened: ServerMessageOf<'opened'>,
    acknowledges: boolean,
    carry: (wireBytes: number) => Delivery,
  ) {
    this.#socket = socket;
    this.opened = opened;
    const { model, limits } = opened;
    const context = { ...limits, codebookSize: model.codebookSize, maxQuantizers: model.quantizers };
    const frameMs = 1000 / model.frameRate;
    const acknowledgements = new Acknowledgements((ack) => socket.send(encodeMessage(ack)));
    socket.on('message', (data, isBinary) => {
      if (!isBinary) {
        const message = parseServerMessage((data as Buffer).toString());
        if (message.type === 'ack_timing') acknowledgements.follow({ ...message, frameMs });
        return;
      }
      const frameBytes = (data as Buffer).length;
      const frame = decodeServerFrame(data as Buffer, context);
      if (frame.kind === 'pcm') return;
      const { firstFrameIndex, frameCount } = frame;
      const quantizers = frame.kind === 'gap' ? 0 : frame.quantizers;
      // A gap shares the segment of the packet behind it.
      const wireBytes = wireBytesOf(frameBytes) - (frame.kind === 'gap' ? TCP_IP_HEADER_BYTES : 0);
      const { startMs, arrivalMs } = carry(wireBytes);
      const take = (): void => {
        this.packets.push({
          firstFrameIndex,
          frameCount,
          quantizers,
          frameBytes,
          startMs,
          arrivalMs: wallMs(),
        });
        if (acknowledges) acknowledgements.note(firstFrameIndex + frameCount, 0, 'adaptive');
      };
      const waitMs = arrivalMs - wallMs();
      if (waitMs > 0) setTimeout(take, waitMs);
      else take();
    });
  }

  /**
   * Opens a session; `carry` tells when a link has carried a packet that the socket gives now, by its bytes on the wire.
   * @throws Error with what the server answers.
   */
  static async open(
    url: string,
    open: Omit<OpenMessage, 'type' | 'version'>,
    carry: (wireBytes: number) => Delivery = NOW,
  ): Promise<RateClient> {
    const socket = new WebSocket(url, SUBPROTOCOL);
    await once(socket, 'open');
    socket.send(encodeMessage({ type: 'open', version: 1, ...open }));
    const [data] = (await once(socket, 'message')) as [Buffer];
    const opened = parseServerMessage(data.toString());
    if (opened.type !== 'opened') throw new Error(`The server answered ${data.toString()}`);
    return new RateClient(socket, opened, open.bitrate?.control === 'adaptive', carry);
  }

  /** Sends mono speech at the model's rate, again and again, as it is spoken. */
  async speak(speech: Float32Array, durationMs: number): Promise<void> {
    const { hop, frameRate, codebookSize } = this.opened.model;
    const frames = Math.floor(speech.length / hop);
    const startMs = wallMs();
    for (let at = 0; (1000 * at) / frameRate < durationMs; at += 1) {
      const waitMs = startMs + (1000 * at) / frameRate - wallMs();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const index = this.sentMs.length;
      const from = (index % frames) * hop;
      const payload = encodePcm(speech.subarray(from, from + hop), 'pcm_s16le');
      this.sentMs.push(wallMs());
      this.#socket.send(
        encodeFrame({ kind: 'audio', byteOffset: index * payload.length, payload }, { codebookSize }),
      );
    }
  }

  /** Ends without a word. */
  terminate(): void {
    this.#socket.terminate();
  }
}

/** What a client opens to publish tokens as they are spoken, for the subscribers of `stream`. */
export function publishing(stream: string, sampleRate: number): Omit<OpenMessage, 'type' | 'version'> {
  return {
    mode: 'encode',
    input: { format: 'pcm_s16le', sampleRate },
    output: { format: 'tokens' },
    publish: { stream },
  };
}
