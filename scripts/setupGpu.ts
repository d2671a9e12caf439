/**
 * `npm run setup:gpu`: puts a CUDA provider that matches the machine beside onnxruntime-node, and tries it. Without a GPU
 * it says so in one line and ends well.
 */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { CodecModel } from '../codec/index.js';
import { runtimeBinaries } from '../codec/runtime/providers.js';
import { TesseraError } from '../protocol/index.js';
import { planCuda, RUNTIME_VERSION, type CudaFindings, type CudaPlan } from './gpu/cudaPlan.js';
import { installPackage } from './gpu/providerPackage.js';

const run = promisify(execFile);
/** Where CUDA and cuDNN lie besides what the dynamic linker knows. */
const CUDA_FOLDERS = ['/usr/local/cuda/lib64', '/usr/local/cuda/targets/x86_64-linux/lib', '/opt/cuda/lib64'];

/** The output of a program; undefined where it is missing or fails. */
async function outputOf(program: string, ...parameters: string[]): Promise<string | undefined> {
  return run(program, parameters).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}

async function findLibraries(): Promise<string[]> {
  const known = (await outputOf('/sbin/ldconfig', '-p')) ?? '';
  const linked = [...known.matchAll(/=> (\S+)/g)].map(([, path = '']) => path);
  const folders = [...CUDA_FOLDERS, ...(process.env['LD_LIBRARY_PATH']?.split(':') ?? [])].filter(Boolean);
  const listed = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(folder).catch(() => []);
      return names.map((name) => join(folder, name));
    }),
  );
  return [...linked, ...listed.flat()];
}

async function inspectMachine(): Promise<CudaFindings> {
  const query = await outputOf('nvidia-smi', '--query-gpu=name,driver_version', '--format=csv,noheader');
  return {
    platform: process.platform,
    architecture: process.arch,
    gpu: query?.trim().split('\n')[0] || undefined,
    driverReport: (await outputOf('nvidia-smi')) ?? '',
    libraries: await findLibraries(),
  };
}

function describePlan(plan: Extract<CudaPlan, { kind: 'install' }>): void {
  const { libraryFolders, missing } = plan;
  if (missing.length > 0) {
    console.log(`Not found: ${missing.join(', ')}. Install CUDA ${plan.package.cudaMajor} and cuDNN 9.`);
  }
  if (libraryFolders.length > 0) {
    console.log(
      `Where the libraries are not on the linker's path:\n  export LD_LIBRARY_PATH=${libraryFolders.join(':')}:$LD_LIBRARY_PATH`,
    );
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } });
  const findings = await inspectMachine();
  const plan = planCuda(findings);
  if (plan.kind === 'none') {
    console.log(`setup:gpu: ${plan.reason}`);
    return;
  }
  console.log(`setup:gpu: found ${findings.gpu}; CUDA ${plan.package.cudaMajor} provider`);
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  if (version !== RUNTIME_VERSION) {
    throw new TesseraError(
      'provider_unavailable',
      `The provider is of onnxruntime ${RUNTIME_VERSION}, and onnxruntime-node ${version} is installed`,
    );
  }
  describePlan(plan);
  if (values['dry-run']) return;
  console.log(`Fetching ${plan.package.name} ${plan.package.version} (about 180 MB)...`);
  await installPackage(plan.package, runtimeBinaries());
  const model = await CodecModel.load({ provider: 'cuda' });
  await model.close();
  console.log('setup:gpu: a trial run on the cuda provider passed; "tessera serve" takes it by itself');
}

main().catch((error: unknown) => {
  console.error(`setup:gpu: ${TesseraError.from(error).message}`);
  process.exitCode = 1;
});
