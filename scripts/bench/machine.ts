import { cpus, loadavg, totalmem } from 'node:os';

/** One line on what the figures were taken on: they mean nothing without it. */
export function describeMachine(): string {
  const processors = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `${processors[0]?.model.trim() ?? 'unknown processor'}, ${processors.length} cores, ${gigabytes} GiB, Node ${process.version}`;
}

/** How busy the machine was with other things when a benchmark began: figures of a shared machine are lower. */
export function describeOtherLoad(): string {
  return `load average of the minute before: ${(loadavg()[0] ?? 0).toFixed(1)}`;
}

/** The command that repeats a benchmark, as it was given. */
export function describeCommand(script: string): string {
  return ['npm run', script, ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
}

/** The value below which a share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
