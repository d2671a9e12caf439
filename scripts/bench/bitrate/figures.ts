import { percentile } from '../machine.js';
import type { PacketRecord } from './senders.js';

/** What a listener got, over a whole trace. */
export interface Figures {
  readonly frames: number;
  /** Over all frames; a frame that was dropped has none. */
  readonly meanQuantizers: number;
  /** 95th percentile, by frames that came, of the wait behind other bytes, in the process and in the network. */
  readonly queueing95Ms: number;
  /** Share of the frames that came more than 400 ms after they were made. */
  readonly lateShare: number;
  /** Of the frames that were dropped. */
  readonly droppedShare: number;
  readonly wireBitsPerSecond: number;
  readonly framesPerPacket: number;
}

/** A delay above this spoils a conversation. */
const LATE_MS = 400;

/** The figures of packets; `frameMs` is the time of a frame. */
export function figuresOf(records: readonly PacketRecord[], frameMs: number): Figures {
  const sum = (value: (record: PacketRecord) => number): number =>
    records.reduce((total, record) => total + record.frameCount * value(record), 0);
  const frames = sum(() => 1);
  const delivered = records.filter(({ delivery }) => delivery !== undefined);
  const waits = delivered.flatMap((record) =>
    Array.from({ length: record.frameCount }, () => waitMs(record) ?? 0),
  );
  return {
    frames,
    meanQuantizers: sum(({ quantizers, delivery }) => (delivery ? quantizers : 0)) / frames,
    queueing95Ms: percentile(waits, 0.95),
    lateShare: sum((record) => Number((delayMs(record, frameMs) ?? 0) > LATE_MS)) / frames,
    droppedShare: sum(({ delivery }) => Number(delivery === undefined)) / frames,
    wireBitsPerSecond:
      (8000 * records.reduce((total, { wireBytes }) => total + wireBytes, 0)) / (frames * frameMs),
    framesPerPacket: delivered.length === 0 ? 0 : waits.length / delivered.length,
  };
}

/** The mean of figures of equally long traces. */
export function meanFigures(all: readonly Figures[]): Figures {
  const mean = (key: keyof Figures): number => all.reduce((total, each) => total + each[key], 0) / all.length;
  return {
    frames: mean('frames'),
    meanQuantizers: mean('meanQuantizers'),
    queueing95Ms: mean('queueing95Ms'),
    lateShare: mean('lateShare'),
    droppedShare: mean('droppedShare'),
    wireBitsPerSecond: mean('wireBitsPerSecond'),
    framesPerPacket: mean('framesPerPacket'),
  };
}

/** From the capture of a packet's first frame to its arrival; undefined for what never came. */
export function delayMs({ delivery, madeMs, frameCount }: PacketRecord, frameMs: number): number | undefined {
  return delivery && delivery.arrivalMs - madeMs + (frameCount - 1) * frameMs;
}

/** How long a packet waited behind others; undefined for what never came. */
export function waitMs({ delivery, madeMs }: PacketRecord): number | undefined {
  return delivery && delivery.startMs - madeMs;
}

/** How the queue behaves when a link becomes slower. */
export interface StepFigures {
  /** From the step to the end of the last packet that waited for more than 150 ms because of it; 0 where none did. */
  readonly settledMs: number;
  /** Packets that waited for longer than that more than 2 s after the step. */
  readonly lateWaits: number;
  readonly mostWaitMs: number;
}

const SETTLED_WAIT_MS = 150;
const SETTLING_MS = 2000;

/** What happened between a step at `fromMs` and `toMs`. */
export function stepFigures(records: readonly PacketRecord[], fromMs: number, toMs: number): StepFigures {
  const waits = records.flatMap((record) => {
    const wait = waitMs(record);
    return wait === undefined || record.madeMs < fromMs || record.madeMs >= toMs
      ? []
      : [{ atMs: record.madeMs - fromMs, wait }];
  });
  const long = waits.filter(({ wait }) => wait > SETTLED_WAIT_MS);
  return {
    settledMs: Math.max(0, ...long.filter(({ atMs }) => atMs <= SETTLING_MS).map(({ atMs }) => atMs)),
    lateWaits: long.filter(({ atMs }) => atMs > SETTLING_MS).length,
    mostWaitMs: Math.max(0, ...waits.map(({ wait }) => wait)),
  };
}

/** Frames before the last one that neither came nor were named in a gap. */
export function unmarkedFrames(records: readonly PacketRecord[]): number {
  let next = 0;
  let missing = 0;
  for (const { firstFrameIndex, frameCount } of records) {
    missing += Math.max(0, firstFrameIndex - next);
    next = firstFrameIndex + frameCount;
  }
  return missing;
}
