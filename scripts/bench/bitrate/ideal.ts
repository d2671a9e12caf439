import { packetWireBytes, type ControlSettings } from '../../../services/bitrate/index.js';
import { LinkModel } from './linkModel.js';
import type { PacketRecord } from './senders.js';
import { traceDurationMs, type LinkTrace } from './traces.js';

/** What waits for so long at most makes up for packets that do not fit evenly. */
const MOST_WAIT_MS = 60;

/**
 * The packets of a sender that knows what the link will carry, and on which nothing is lost: always the most codebooks
 * whose packet is through before another of as many frames is there, or 60 ms after; in an outage nothing.
 */
export function idealRecords(trace: LinkTrace, settings: ControlSettings): PacketRecord[] {
  const link = new LinkModel({ ...trace, lossShare: 0 }, () => 1);
  const { frameMs } = settings;
  const frames = Math.floor(traceDurationMs(trace) / frameMs);
  const records: PacketRecord[] = [];
  for (let first = 0; first < frames;) {
    const best = bestPacket(link, settings, first, frames - first);
    if (best) {
      const delivery = link.send(best.madeMs, best.wireBytes);
      records.push({ ...best, delivery });
    } else {
      const nothing = { quantizers: 0, wireBytes: 0, delivery: undefined };
      records.push({ firstFrameIndex: first, frameCount: 1, madeMs: first * frameMs, ...nothing });
    }
    first += best?.frameCount ?? 1;
  }
  return records;
}

/** Undefined where not even one codebook gets through in time. */
function bestPacket(
  link: LinkModel,
  settings: ControlSettings,
  firstFrameIndex: number,
  framesLeft: number,
): Omit<PacketRecord, 'delivery'> | undefined {
  const { frameMs, minQuantizers, maxQuantizers, maxFramesPerPacket } = settings;
  let best: Omit<PacketRecord, 'delivery'> | undefined;
  for (let frameCount = 1; frameCount <= Math.min(maxFramesPerPacket, framesLeft); frameCount += 1) {
    const madeMs = (firstFrameIndex + frameCount - 1) * frameMs;
    const least = Math.max(minQuantizers, (best?.quantizers ?? 0) + 1);
    for (let quantizers = maxQuantizers; quantizers >= least; quantizers -= 1) {
      const shape = { quantizers, framesPerPacket: frameCount };
      const wireBytes = packetWireBytes(shape, settings, firstFrameIndex);
      if (link.preview(madeMs, wireBytes).endMs > madeMs + frameCount * frameMs + MOST_WAIT_MS) continue;
      best = { firstFrameIndex, frameCount, quantizers, wireBytes, madeMs };
      break;
    }
  }
  return best;
}
