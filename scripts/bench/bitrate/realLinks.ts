import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ControlSettings } from '../../../services/bitrate/index.js';
import { drawSharedLink, judgeShare, sharedTrace, type SharedLink } from './fairness.js';
import { figuresOf, meanFigures, unmarkedFrames, type Figures } from './figures.js';
import type { RealRequest } from './realRun.js';
import type { PacketRecord } from './senders.js';
import type { TraceRun } from './simulation.js';
import { TRACE_STEP_MS, type LinkTrace } from './traces.js';

/** What real links of a kind gave, and what the simulation of the same traces had given: means over the traces. */
export interface RealFigures {
  readonly name: string;
  readonly traces: number;
  readonly tessera: Figures;
  readonly fixed: Figures;
  readonly simulated: Figures;
  readonly ideal: Figures;
  /** On the worst trace: Tessera's quantizers of the ideal's, and its 95th percentile of the wait. */
  readonly leastUsedShare: number;
  readonly mostQueueing95Ms: number;
  readonly unmarkedFrames: number;
}

const RUN_SCRIPT = fileURLToPath(new URL('./realRun.js', import.meta.url));
/** `tc` is told a rate so often. */
const STEP_MS = 5 * TRACE_STEP_MS;
const OUTPUT_BYTES = 100_000_000;

/**
 * The traces of simulated runs again, all at once, in real time, over real TCP from a real server: each for a subscriber under
 * rate control, and for one with the packets that the simulation gave its fixed bitrate.
 * @throws Error where the system has no network namespaces or no `tc`, or they may not be used: root may.
 */
export async function runRealLinks(
  runs: readonly TraceRun[],
  { frameMs }: ControlSettings,
  source: Pick<RealRequest, 'model' | 'speech' | 'sampleRate'>,
): Promise<RealFigures[]> {
  const links = runs.flatMap(({ trace, fixed: [packet] }) => {
    const bitsPerSecond = coarse(trace);
    const fixed = packet && { quantizers: packet.quantizers, framesPerPacket: packet.frameCount };
    return [
      { bitsPerSecond, subscribers: [{}] },
      { bitsPerSecond, subscribers: [{ fixed }] },
    ];
  });
  const records = await runReal({ ...source, stepMs: STEP_MS, links });
  const all = runs.map(({ trace, tessera, ideal }, at) => {
    const real = records[2 * at] ?? [];
    return {
      name: trace.name,
      tessera: figuresOf(real, frameMs),
      fixed: figuresOf(records[2 * at + 1] ?? [], frameMs),
      simulated: figuresOf(tessera, frameMs),
      ideal: figuresOf(ideal, frameMs),
      unmarkedFrames: unmarkedFrames(real),
    };
  });
  return [...new Set(all.map(({ name }) => name))].map((name) => {
    const each = all.filter((one) => one.name === name);
    const mean = (of: 'tessera' | 'fixed' | 'simulated' | 'ideal'): Figures =>
      meanFigures(each.map((one) => one[of]));
    return {
      name,
      traces: each.length,
      tessera: mean('tessera'),
      fixed: mean('fixed'),
      simulated: mean('simulated'),
      ideal: mean('ideal'),
      leastUsedShare: Math.min(
        ...each.map(({ tessera, ideal }) => tessera.meanQuantizers / ideal.meanQuantizers),
      ),
      mostQueueing95Ms: Math.max(...each.map(({ tessera }) => tessera.queueing95Ms)),
      unmarkedFrames: each.reduce((total, one) => total + one.unmarkedFrames, 0),
    };
  });
}

/** Pairs of real sessions on real bottlenecks, all at once, as {@link shareLink} has them simulated but without loss. */
export async function runRealShares(
  seeds: readonly number[],
  { frameMs }: ControlSettings,
  source: Pick<RealRequest, 'model' | 'speech' | 'sampleRate'>,
): Promise<SharedLink[]> {
  const draws = seeds.map((seed) => ({ ...drawSharedLink(seed), lossShare: 0 }));
  const links = draws.map((draw) => ({
    bitsPerSecond: coarse(sharedTrace(draw)),
    subscribers: [{}, { joinsMs: draw.secondStartMs }],
  }));
  const records = await runReal({ ...source, stepMs: STEP_MS, links });
  return draws.map((draw, at) => judgeShare(draw, records.slice(2 * at, 2 * at + 2), frameMs));
}

/** What came to each subscriber of each link in turn. */
async function runReal(request: RealRequest): Promise<PacketRecord[][]> {
  const running = promisify(execFile)('unshare', ['--net', process.execPath, RUN_SCRIPT], {
    maxBuffer: OUTPUT_BYTES,
  });
  running.child.stdin?.end(JSON.stringify(request));
  const { stdout } = await running;
  return JSON.parse(stdout) as PacketRecord[][];
}

/** The means of a trace over steps of `tc`. */
function coarse({ bitsPerSecond }: LinkTrace): number[] {
  const values = STEP_MS / TRACE_STEP_MS;
  return Array.from({ length: Math.floor(bitsPerSecond.length / values) }, (_, step) => {
    const part = bitsPerSecond.subarray(step * values, (step + 1) * values);
    return part.reduce((total, rate) => total + rate, 0) / values;
  });
}
