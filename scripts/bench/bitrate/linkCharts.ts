import { drawCharts, type ChartLine } from '../lineChart.js';
import { delayMs } from './figures.js';
import { SENDERS, type SenderName } from './linkBench.js';
import type { PacketRecord } from './senders.js';
import type { TraceRun } from './simulation.js';
import { TRACE_STEP_MS, traceDurationMs } from './traces.js';

/** One point of a line. */
const BIN_MS = 1000;
const MOST_DELAY_MS = 1000;
const LINK = { name: 'link', colour: '#aab7b8' };
const LOOKS: Readonly<Record<SenderName, Omit<ChartLine, 'points'>>> = {
  tessera: { name: 'Tessera', colour: '#1f618d' },
  fixed: { name: 'fixed bitrate', colour: '#c0392b' },
  opus: { name: 'Opus', colour: '#e59866' },
  ideal: { name: 'knows the trace', colour: '#27ae60' },
};

/** Rate sent and what the link carries, delay, and quantizers over the time of a trace, below each other. */
export function drawTrace(
  run: TraceRun,
  { frameMs, maxQuantizers }: { frameMs: number; maxQuantizers: number },
): string {
  const bins = Math.ceil(traceDurationMs(run.trace) / BIN_MS);
  const line = (look: Omit<ChartLine, 'points'>, values: readonly (number | undefined)[]): ChartLine => ({
    ...look,
    points: values.flatMap((y, bin) => (y === undefined ? [] : [{ x: ((bin + 1) * BIN_MS) / 1000, y }])),
  });
  const lines = (
    senders: readonly SenderName[],
    valueOf: (records: readonly PacketRecord[]) => number | undefined,
  ): ChartLine[] => senders.map((sender) => line(LOOKS[sender], binned(run[sender], bins).map(valueOf)));
  const capacity = line(LINK, capacityKilobits(run, bins));
  const kilobits = (records: readonly PacketRecord[]): number =>
    records.reduce((total, { wireBytes }) => total + 8 * wireBytes, 0) / BIN_MS;
  const delay = (records: readonly PacketRecord[]): number | undefined => {
    const delays = records.flatMap((record) => delayMs(record, frameMs) ?? []);
    return delays.length === 0 ? undefined : Math.max(...delays);
  };
  const quantizers = (records: readonly PacketRecord[]): number => {
    const sum = (value: (record: PacketRecord) => number): number =>
      records.reduce((total, record) => total + record.frameCount * value(record), 0);
    return (
      sum(({ quantizers: each, delivery }) => (delivery ? each : 0)) /
      Math.max(
        1,
        sum(() => 1),
      )
    );
  };
  const xLabel = 'seconds';
  const mostKilobits = Math.max(...capacity.points.map(({ y }) => y));
  return drawCharts([
    {
      title: `${run.trace.name}: what the link carries, and what is sent`,
      xLabel,
      yLabel: 'kbit/s on the wire',
      yMax: Math.min(40, Math.ceil(mostKilobits / 5) * 5),
      lines: [capacity, ...lines(SENDERS.filter((name) => name !== 'ideal').reverse(), kilobits)],
    },
    {
      title: 'Delay, from the first sound of a packet to its arrival',
      xLabel,
      yLabel: 'ms',
      yMax: MOST_DELAY_MS,
      lines: lines([...SENDERS].reverse(), delay),
    },
    {
      title: 'Codebooks that arrive',
      xLabel,
      yLabel: 'quantizers',
      yMax: maxQuantizers,
      lines: lines(SENDERS.filter((name) => name !== 'opus').reverse(), quantizers),
    },
  ]);
}

function capacityKilobits({ trace }: TraceRun, bins: number): number[] {
  const perBin = BIN_MS / TRACE_STEP_MS;
  return Array.from({ length: bins }, (_, bin) => {
    const rates = trace.bitsPerSecond.subarray(bin * perBin, (bin + 1) * perBin);
    return rates.reduce((total, rate) => total + rate, 0) / rates.length / 1000;
  });
}

/** By when they were made. */
function binned(records: readonly PacketRecord[], bins: number): PacketRecord[][] {
  const all = Array.from({ length: bins }, (): PacketRecord[] => []);
  for (const record of records) all[Math.floor(record.madeMs / BIN_MS)]?.push(record);
  return all;
}
