import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What runs the graphs: the processor, an NVIDIA GPU through CUDA, or any GPU through WebGPU. */
export const PROVIDERS = ['cuda', 'webgpu', 'cpu'] as const;
/** One of {@link PROVIDERS}; `auto` tries them in that order. */
export type Provider = (typeof PROVIDERS)[number];

/** A provider that does not run here, and why. */
export interface ProviderFailure {
  readonly provider: Provider;
  readonly reason: string;
}

/** A first CUDA session on a cold machine takes some ten seconds; past this the driver hangs. */
const PROBE_TIMEOUT_MS = 60_000;

const PROBE_SCRIPT = fileURLToPath(new URL('./providerProbe.js', import.meta.url));

/**
 * Whether `provider` can run a graph here. GPU drivers may crash, hang, or write to the process's error stream, so
 * the trial is made in a process of its own, and only where the files that it needs are present.
 * @param graphPath an ONNX file to run one frame through
 * @param frameSamples its smallest length of input
 * @param maxRunMs a run of one frame that takes longer is too slow
 * @returns why not; undefined when it runs.
 */
export async function probeProvider(
  provider: Provider,
  graphPath: string,
  frameSamples: number,
  maxRunMs: number,
): Promise<string | undefined> {
  if (provider === 'cpu') return undefined;
  return (await missingPart(provider)) ?? runProbe(provider, graphPath, frameSamples, maxRunMs);
}

/** What is obviously not there, found without loading a driver. */
async function missingPart(provider: 'cuda' | 'webgpu'): Promise<string | undefined> {
  if (provider === 'cuda') {
    const library = 'onnxruntime_providers_cuda';
    const present = (await list(runtimeBinaries())).some((name) => name.includes(library));
    return present ? undefined : `the library ${library} is not installed beside onnxruntime-node`;
  }
  if (process.platform !== 'linux') return undefined;
  const devices = [...(await list('/dev')), ...(await list('/dev/dri'))];
  // Without this check a software Vulkan driver, slower than the cpu provider, would count as a GPU.
  const present = devices.some((name) => /^(nvidia\d+|renderD\d+|dxg)$/.test(name));
  return present ? undefined : 'there is no GPU device';
}

/** The trial itself, of a provider whose parts are there; parameters and answer as of {@link probeProvider}. */
export function runProbe(
  provider: Provider,
  graphPath: string,
  frameSamples: number,
  maxRunMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL' as const, windowsHide: true };
    const script = [PROBE_SCRIPT, provider, graphPath, String(frameSamples)];
    execFile(process.execPath, script, options, (error, stdout, stderr) => {
      if (error === null) resolve(slowness(Number(stdout), maxRunMs));
      else if (stdout !== '') resolve(firstLine(stdout));
      else if (error.killed === true) resolve(`it did not answer within ${PROBE_TIMEOUT_MS / 1000} s`);
      else resolve(`its trial run ended with ${error.signal ?? error.code}: ${firstLine(stderr)}`);
    });
  });
}

function slowness(runMs: number, maxRunMs: number): string | undefined {
  if (runMs <= maxRunMs) return undefined;
  return `a run of one frame takes ${runMs.toFixed(1)} ms and may take ${maxRunMs}`;
}

/** Where onnxruntime-node keeps its native libraries. */
export function runtimeBinaries(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  return join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch);
}

async function list(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 300) ?? '';
}
