import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ControlSettings } from '../../../services/bitrate/index.js';
import { figuresOf, unmarkedFrames, type Figures } from './figures.js';
import type { RealRequest } from './realRun.js';
import type { PacketRecord } from './senders.js';
import type { TraceRun } from './simulation.js';
import { TRACE_STEP_MS, type LinkTrace } from './traces.js';

/** What one real link gave, and what the simulation of the same trace had given. */
export interface RealFigures {
  readonly name: string;
  readonly tessera: Figures;
  readonly fixed: Figures;
  readonly simulated: Figures;
  readonly ideal: Figures;
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
      { bitsPerSecond, fixed: undefined },
      { bitsPerSecond, fixed },
    ];
  });
  const request: RealRequest = { ...source, stepMs: STEP_MS, links };
  const child = ['--net', process.execPath, RUN_SCRIPT, JSON.stringify(request)];
  const { stdout } = await promisify(execFile)('unshare', child, { maxBuffer: OUTPUT_BYTES });
  const records = JSON.parse(stdout) as PacketRecord[][];
  return runs.map(({ trace, tessera, ideal }, at) => {
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
}

/** The means of a trace over steps of `tc`. */
function coarse({ bitsPerSecond }: LinkTrace): number[] {
  const values = STEP_MS / TRACE_STEP_MS;
  return Array.from({ length: Math.floor(bitsPerSecond.length / values) }, (_, step) => {
    const part = bitsPerSecond.subarray(step * values, (step + 1) * values);
    return part.reduce((total, rate) => total + rate, 0) / values;
  });
}
