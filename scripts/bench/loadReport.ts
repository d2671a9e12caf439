import { IN_TIME_SHARE, ratio, trialTable, type Capacity, type Trial } from './capacity.js';
import { drawCharts, type ChartLine } from './lineChart.js';
import type { LoadTrial } from './loadTrials.js';

const CHART_LATENCY_MS = 200;
const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;

/** What `bench:load` measured. */
export interface LoadFigures {
  readonly naive: Capacity;
  readonly batched: Capacity;
  /** Of the server without sessions. */
  readonly emptyBytes: number;
  /** Half of the sessions that are carried: of several trials, that of the middle 99th percentile. */
  readonly half: LoadTrial;
  /** The same with a fifth of them bursting, in turn with the former: the figures are those of the others. */
  readonly fairness: LoadTrial;
  /** Longer trials for the sake of memory, one after the other: with half of the sessions, and with all. */
  readonly halfMemory: LoadTrial;
  readonly fullMemory: LoadTrial;
  /** Twice the sessions that are carried, against admission. */
  readonly overload: LoadTrial;
}

/** What a report says besides the figures. */
export interface LoadReportNotes {
  readonly heading: readonly string[];
  /** Name of the charts' file. */
  readonly chart: string;
  readonly lateMs: number;
  readonly seconds: number;
  readonly memorySeconds: number;
}

/** The report as Markdown, tables first. */
export function writeLoadReport(figures: LoadFigures, notes: LoadReportNotes): string {
  const { naive, batched, half, fairness, halfMemory, fullMemory, overload } = figures;
  const admitted = overload.sessions - overload.refused;
  const moved = (100 * (fairness.p99Ms - half.p99Ms)) / half.p99Ms;
  const [, halfBytes] = halfMemory.residentBytes;
  const [middleBytes, endBytes] = fullMemory.residentBytes;
  const more = Math.max(1, fullMemory.sessions - halfMemory.sessions);
  const perSession = (endBytes - halfBytes) / more / KIBIBYTE;
  const growth = (100 * (endBytes - middleBytes)) / middleBytes;
  return `# Load: the whole service over real sockets

${notes.heading.map((line) => `- ${line}`).join('\n')}

Sessions are full duplex: speech goes in in real time and comes back through the tokens. A number of
sessions is served when ${100 * IN_TIME_SHARE}% of the frames come back within ${notes.lateMs} ms and none is lost. Latencies come on top of the
algorithmic delay. Each trial counts ${notes.seconds} s after a second of warm-up. At half load, trials with and without bursts take turns, and the one
of the middle 99th percentile of each is shown.

| | sessions served |
|---|---|
| naive: one session, one frame a run | ${naive.sessions} |
| Tessera | ${batched.sessions} |
| ratio | ${ratio(batched, naive)} |

| at half load: ${half.sessions} sessions | |
|---|---|
| latency, median | ${half.medianMs.toFixed(1)} ms |
| latency, 99% | ${half.p99Ms.toFixed(1)} ms |
| 99% of the others while 20% of the sessions send at 10 times real time | ${fairness.p99Ms.toFixed(1)} ms (${signed(moved)}%), ${fairness.lost} frames lost |

| resident memory of the server, all of it | |
|---|---|
| just started | ${mebibytes(figures.emptyBytes)} |
| with ${halfMemory.sessions} sessions, at the end of a trial of ${notes.memorySeconds} s | ${mebibytes(halfBytes)} |
| with ${fullMemory.sessions}, likewise, after that | ${mebibytes(endBytes)} |
| so for each session more | ${perSession.toFixed(0)} KiB |
| growth over the second half of the last trial | ${signed(growth)}% |

| overload: ${overload.sessions} clients, twice what is carried | |
|---|---|
| let in | ${admitted} |
| told \`at_capacity\` | ${overload.refused} |
| latency of those let in, median and 99% | ${overload.medianMs.toFixed(1)} and ${overload.p99Ms.toFixed(1)} ms |
| their frames lost, late or lost | ${overload.lost}, ${(100 * overload.lateShare).toFixed(2)}% |

![Frames late and latency against sessions](${notes.chart})

## Tessera

${trialTable(batched.trials)}

## Naive

${trialTable(naive.trials)}
`;
}

/** Charts of the searches: frames late, and latency, against sessions. */
export function drawLoad({ naive, batched }: LoadFigures, lateMs: number): string {
  const lines = (valueOf: (trial: Trial) => number, suffix = ''): ChartLine[] =>
    [
      { name: 'naive', trials: naive.trials },
      { name: 'Tessera', trials: batched.trials },
    ].map(({ name, trials }) => ({
      name: name + suffix,
      points: trials.map((trial) => ({ x: trial.sessions, y: valueOf(trial) })),
    }));
  const p99 = lines(({ p99Ms }) => p99Ms, ', 99%');
  const median = lines(({ medianMs }) => medianMs, ', median');
  const xLabel = 'sessions, full duplex';
  return drawCharts([
    {
      title: `Frames late (over ${lateMs} ms) or lost`,
      xLabel,
      yLabel: '% of frames',
      yMax: 10,
      lines: lines(({ lateShare }) => 100 * lateShare),
    },
    {
      title: 'Latency of a frame, without the algorithmic delay',
      xLabel,
      yLabel: 'ms',
      yMax: CHART_LATENCY_MS,
      lines: p99.flatMap((line, at) => [line, median[at] ?? line]),
    },
  ]);
}

function mebibytes(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(0)} MiB`;
}

function signed(value: number): string {
  return `${value < 0 ? '' : '+'}${value.toFixed(1)}`;
}
