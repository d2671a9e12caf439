import {
  CUDA_PACKAGES,
  planCuda,
  RUNTIME_VERSION,
  type CudaFindings,
} from '../../../scripts/gpu/cudaPlan.js';
import { readFileSync } from 'node:fs';

/** A machine that has all. */
const complete: CudaFindings = {
  platform: 'linux',
  architecture: 'x64',
  gpu: 'NVIDIA H100 80GB HBM3, 580.82.07',
  driverReport: '| NVIDIA-SMI 580.82.07    Driver Version: 580.82.07    CUDA Version: 13.0     |',
  libraries: [
    '/usr/local/cuda/lib64/libcudart.so.13',
    '/usr/local/cuda/lib64/libcublas.so.13',
    '/usr/local/cuda/lib64/libcublasLt.so.13',
    '/usr/local/cuda/lib64/libcurand.so.10',
    '/lib/x86_64-linux-gnu/libcudnn.so.9',
  ],
};

/** The same machine with another CUDA runtime. */
function withRuntime(major: number): CudaFindings {
  return { ...complete, libraries: [`/usr/local/cuda/lib64/libcudart.so.${major}`] };
}

test('a GPU with CUDA 13 gets the provider for it, and the folders of the libraries', () => {
  expect(planCuda(complete)).toEqual({
    kind: 'install',
    package: expect.objectContaining({ cudaMajor: 13 }),
    libraryFolders: ['/usr/local/cuda/lib64', '/lib/x86_64-linux-gnu'],
    missing: [],
  });
});

test('without CUDA or cuDNN it says what is missing', () => {
  const plan = planCuda({ ...complete, libraries: complete.libraries.slice(0, 2) });
  expect(plan).toMatchObject({
    missing: ['libcublasLt.so.13', 'libcurand.so.10', 'libcudnn.so.9'],
  });
  expect(planCuda({ ...complete, libraries: [] })).toMatchObject({ kind: 'install', libraryFolders: [] });
});

test.each<[string, CudaFindings, RegExp]>([
  ['no GPU', { ...complete, gpu: undefined }, /^no NVIDIA GPU was found/],
  ['another system', { ...complete, platform: 'win32' }, /only for linux x64/],
  ['another processor', { ...complete, architecture: 'arm64' }, /only for linux x64/],
  [
    'an old driver',
    { ...complete, driverReport: 'CUDA Version: 12.4' },
    /runs CUDA 12 at most, and the provider needs 13/,
  ],
  ['CUDA 12', withRuntime(12), /CUDA 12 is installed, and the provider needs 13/],
])('%s: one line that says so', (_name, findings, reason) => {
  const plan = planCuda(findings);
  expect(plan).toEqual({ kind: 'none', reason: expect.stringMatching(reason) });
  expect(plan.kind === 'none' && plan.reason).not.toContain('\n');
});

test('CUDA 12 and 13 side by side are no obstacle', () => {
  const libraries = [...withRuntime(12).libraries, ...complete.libraries];
  expect(planCuda({ ...complete, libraries })).toMatchObject({ kind: 'install', missing: [] });
});

test('the packages are of the runtime that package.json names', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  expect(dependencies['onnxruntime-node']).toBe(RUNTIME_VERSION);
  for (const { integrity } of CUDA_PACKAGES) expect(integrity).toMatch(/^sha512-[\w+/]{86}==$/);
});
