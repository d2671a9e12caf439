import {
  decodeServerFrame,
  encodeFrame,
  parseServerMessage,
  type ServerMessage,
} from '../../../protocol/index.js';
import { DEFAULT_LIMITS, type GatewayLimits } from '../../../services/gateway/index.js';
import { OutputQueue, type OutputSink } from '../../../services/gateway/outputQueue.js';
import type { Packet } from '../../../services/gateway/packetizer.js';

const CONTEXT = { codebookSize: 1024, maxQuantizers: 12, maxFramesPerPacket: 50, maxFrameBytes: 1e6 };

const packet = (firstFrameIndex: number, frameCount = 1): Packet => {
  const codes = new Uint16Array(6 * frameCount);
  const bytes = encodeFrame({ kind: 'tokens', firstFrameIndex, frameCount, quantizers: 6, codes }, CONTEXT);
  return { firstFrameIndex, frameCount, bytes };
};

const flushed = (): ServerMessage => ({
  type: 'flushed',
  totals: { inputBytes: 0, samples: 0, frames: 0, gapFrames: 0, outputBytes: 0 },
});
const bitrate = (quantizers: number) => (): ServerMessage => ({
  type: 'bitrate',
  minQuantizers: 1,
  maxQuantizers: quantizers,
  quantizers,
  bitsPerSecond: 500 * quantizers,
  fromFrameIndex: 0,
});

/** A network that takes nothing until it is told to; `said` is what it was given, in short. */
class SlowNetwork implements OutputSink {
  readonly said: string[] = [];
  #waiting: (() => void)[] = [];

  readonly send = (data: string | Uint8Array, onTaken?: () => void): void => {
    if (typeof data === 'string') {
      const message = parseServerMessage(data);
      this.said.push(message.type === 'bitrate' ? `bitrate ${message.quantizers}` : message.type);
    } else {
      const frame = decodeServerFrame(data, CONTEXT);
      if (frame.kind === 'pcm') throw new Error('no PCM here');
      const { kind, firstFrameIndex, frameCount } = frame;
      const reason = frame.kind === 'gap' ? ` ${frame.reason}` : '';
      this.said.push(`${kind} ${firstFrameIndex}+${frameCount}${reason}`);
    }
    if (onTaken) this.#waiting.push(onTaken);
  };

  take(count = Infinity): void {
    for (const taken of this.#waiting.splice(0, count)) taken();
  }
}

/** Room for three packets. */
function slowQueue(limits: Partial<GatewayLimits> = {}) {
  const drops: number[] = [];
  const queue = new OutputQueue({ ...DEFAULT_LIMITS, maxOutputBufferBytes: 800, ...limits }, (frames) =>
    drops.push(frames),
  );
  const network = new SlowNetwork();
  queue.attach(network);
  return { queue, network, drops };
}

describe('OutputQueue', () => {
  test('sends what the network takes', () => {
    const { queue, network, drops } = slowQueue();
    for (let frame = 0; frame < 20; frame += 1) {
      queue.packet(packet(frame));
      network.take();
    }
    expect(network.said).toHaveLength(20);
    expect(drops).toEqual([]);
    expect(queue).toMatchObject({ nextFrameIndex: 20, gapFrames: 0, pendingBytes: 0 });
  });

  test('drops frames beyond the bound, and names them when half has been taken', () => {
    const { queue, network } = slowQueue();
    for (let frame = 0; frame < 10; frame += 1) queue.packet(packet(frame));
    expect(network.said).toEqual(['tokens 0+1', 'tokens 1+1', 'tokens 2+1']);
    network.take(1);
    queue.packet(packet(10, 5));
    expect(network.said).toHaveLength(3);
    network.take(1);
    queue.packet(packet(15));
    expect(network.said.slice(3)).toEqual(['gap 3+12 output_dropped', 'tokens 15+1']);
    expect(queue.gapFrames).toBe(12);
  });

  test('names them also when nothing follows', () => {
    const { queue, network } = slowQueue();
    for (let frame = 0; frame < 4; frame += 1) queue.packet(packet(frame));
    network.take();
    expect(network.said.at(-1)).toBe('gap 3+1 output_dropped');
  });

  test('keeps messages in their place between the frames, and only the last bitrate', () => {
    const { queue, network } = slowQueue();
    let sent = false;
    for (let frame = 0; frame < 5; frame += 1) queue.packet(packet(frame));
    queue.message(bitrate(1), { replaces: 'bitrate' });
    queue.packet(packet(5));
    queue.message(bitrate(2), { replaces: 'bitrate' });
    queue.packet(packet(6));
    queue.message(flushed, { onSent: () => (sent = true) });
    queue.packet(packet(7));
    expect(sent).toBe(false);
    network.take();
    expect(sent).toBe(true);
    expect(network.said.slice(3)).toEqual([
      'gap 3+3 output_dropped',
      'bitrate 2',
      'gap 6+1 output_dropped',
      'flushed',
      'gap 7+1 output_dropped',
    ]);
  });

  test('messages alone do not pile up either', () => {
    const { queue, network } = slowQueue();
    for (let turn = 0; turn < 1000; turn += 1)
      queue.message(bitrate(1 + (turn % 12)), { replaces: 'bitrate' });
    expect(network.said.length).toBeLessThan(5);
    expect(queue.pendingBytes).toBeLessThan(1600);
    network.take();
    expect(network.said.at(-1)).toBe(`bitrate ${1 + (999 % 12)}`);
  });

  test('while nobody is attached frames are kept, and come again for whoever resumes', () => {
    const { queue, network } = slowQueue();
    for (let frame = 0; frame < 3; frame += 1) queue.packet(packet(frame));
    queue.detach();
    for (let frame = 3; frame < 6; frame += 1) queue.packet(packet(frame));
    network.take();
    const next = new SlowNetwork();
    queue.attach(next);
    expect(queue.resendableFrom(2)).toBe(2);
    queue.resend(2);
    expect(next.said).toEqual(['tokens 2+1', 'tokens 3+1', 'tokens 4+1', 'tokens 5+1']);
    expect(network.said).toHaveLength(3);
  });

  test('gaps are kept too: a client that missed one hears of it again', () => {
    const { queue, network } = slowQueue();
    for (let frame = 0; frame < 6; frame += 1) queue.packet(packet(frame));
    network.take();
    queue.detach();
    const next = new SlowNetwork();
    queue.attach(next);
    queue.resend(1);
    expect(next.said).toEqual(['tokens 1+1', 'tokens 2+1', 'gap 3+3 output_dropped']);
  });

  test('what is acknowledged, or beyond the bound, is let go; the rest of a resumption is a gap', () => {
    const { queue } = slowQueue({ maxReplayBytes: 4 * (128 + packet(0).bytes.length) });
    queue.detach();
    for (let frame = 0; frame < 10; frame += 1) queue.packet(packet(frame));
    expect(queue.resendableFrom(0)).toBe(6);
    queue.acknowledge(8);
    expect(queue.resendableFrom(0)).toBe(8);
    const next = new SlowNetwork();
    queue.attach(next);
    queue.resend(0);
    expect(next.said).toEqual(['gap 0+8 resume_lost', 'tokens 8+1', 'tokens 9+1']);
    queue.acknowledge(1000);
    expect(queue.resendableFrom(10)).toBe(10);
  });
});
