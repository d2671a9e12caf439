import {
  choosePacketShape,
  packetWireBytes,
  wireBitsPerSecond,
  type ControlSettings,
} from '../../../services/bitrate/index.js';
import {
  figuresOf,
  meanFigures,
  stepFigures,
  unmarkedFrames,
  type Figures,
  type StepFigures,
} from './figures.js';
import type { FixedPackets, PacketRecord } from './senders.js';
import { runTrace, type TraceRun } from './simulation.js';
import {
  lossTrace,
  lteTrace,
  rampTrace,
  secondGenerationTrace,
  stepTrace,
  traceDurationMs,
  type LinkTrace,
} from './traces.js';

/** Who sends over each link. */
export const SENDERS = ['tessera', 'fixed', 'opus', 'ideal'] as const;
/** One of {@link SENDERS}. */
export type SenderName = (typeof SENDERS)[number];

/** A kind of link, and what its traces gave. */
export interface LinkFigures {
  readonly name: string;
  readonly traces: number;
  /** Means over the traces. */
  readonly figures: Readonly<Record<SenderName, Figures>>;
  /** Tessera's quantizers of the ideal's: the mean, and on the worst trace. */
  readonly usedShare: number;
  readonly leastUsedShare: number;
  /** Tessera's largest 95th percentile of the wait on a trace. */
  readonly mostQueueing95Ms: number;
  readonly unmarkedFrames: number;
  /** The first trace, for a chart. */
  readonly shown: TraceRun;
}

/** What the simulated links gave. */
export interface LinkBenchFigures {
  readonly links: readonly LinkFigures[];
  readonly step: StepFigures;
}

/** Times in seconds, rates in bits a second on the wire. */
const STEP_SECONDS = 60;
const RAMP = { high: 24_000, low: 6000, seconds: 80 };
const LOSS = { bitsPerSecond: 12_000, share: 0.01, seconds: 60 };
const MOBILE_SECONDS = 120;
/** Codebooks before and after the step, whose longest packets the link just carries: 3 and 1 kbit/s of 10-bit codes. */
const STEP_QUANTIZERS = { high: 6, low: 2 };
const STEP_HEADROOM = 1.02;

/** All links; those with chance in them by seeds from `firstSeed` on. Nothing depends on the machine or its clock. */
export function runLinks(
  settings: ControlSettings,
  opusPackets: FixedPackets,
  { firstSeed, seeds }: { readonly firstSeed: number; readonly seeds: number },
): LinkBenchFigures {
  const each = Array.from({ length: seeds }, (_, index) => firstSeed + index);
  const run = (trace: LinkTrace, seed: number): TraceRun =>
    runTrace(trace, seed, {
      settings,
      opusPackets,
      chooseFixed: (records) => fixedPackets(records, settings),
    });
  const linkOf = (runs: readonly TraceRun[]): LinkFigures => summarize(runs, settings.frameMs);
  const [high, low] = [STEP_QUANTIZERS.high, STEP_QUANTIZERS.low].map(
    (quantizers) => STEP_HEADROOM * longestPacketRate(quantizers, settings),
  ) as [number, number];
  const step = run(stepTrace(high, low, STEP_SECONDS), firstSeed);
  const thirdMs = traceDurationMs(step.trace) / 3;
  return {
    links: [
      linkOf([step]),
      linkOf([run(rampTrace(RAMP.high, RAMP.low, RAMP.seconds), firstSeed)]),
      linkOf(each.map((seed) => run(lossTrace(LOSS.bitsPerSecond, LOSS.share, LOSS.seconds), seed))),
      linkOf(each.map((seed) => run(secondGenerationTrace(seed, MOBILE_SECONDS), seed))),
      linkOf(each.map((seed) => run(lteTrace(seed, MOBILE_SECONDS), seed))),
    ],
    step: stepFigures(step.tessera, thirdMs, 2 * thirdMs),
  };
}

/** The best packets of a fixed bitrate that sends no more than Tessera has sent on the mean. */
function fixedPackets(records: readonly PacketRecord[], settings: ControlSettings): FixedPackets {
  const { wireBitsPerSecond: rate, frames } = figuresOf(records, settings.frameMs);
  const middle = Math.floor(frames / 2);
  const { shape } = choosePacketShape(rate, settings, middle);
  return { ...shape, wireBytes: [packetWireBytes(shape, settings, middle)] };
}

function longestPacketRate(quantizers: number, settings: ControlSettings): number {
  const shape = { quantizers, framesPerPacket: settings.maxFramesPerPacket };
  return wireBitsPerSecond(shape, settings, Math.floor((500 * STEP_SECONDS) / settings.frameMs));
}

function summarize(runs: readonly TraceRun[], frameMs: number): LinkFigures {
  const [shown] = runs;
  if (shown === undefined) throw new RangeError('A link needs a trace');
  const all = (name: SenderName): Figures[] => runs.map((run) => figuresOf(run[name], frameMs));
  const tessera = all('tessera');
  const ideal = all('ideal');
  const used = tessera.map(({ meanQuantizers }, at) => meanQuantizers / (ideal[at]?.meanQuantizers ?? NaN));
  const figures = {
    tessera: meanFigures(tessera),
    fixed: meanFigures(all('fixed')),
    opus: meanFigures(all('opus')),
    ideal: meanFigures(ideal),
  };
  return {
    name: shown.trace.name,
    traces: runs.length,
    figures,
    usedShare: figures.tessera.meanQuantizers / figures.ideal.meanQuantizers,
    leastUsedShare: Math.min(...used),
    mostQueueing95Ms: Math.max(...tessera.map(({ queueing95Ms }) => queueing95Ms)),
    unmarkedFrames: runs.reduce((total, { tessera: records }) => total + unmarkedFrames(records), 0),
    shown,
  };
}
