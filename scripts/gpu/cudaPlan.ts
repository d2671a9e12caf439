/** What a machine has, as the set-up of its GPU found it. */
export interface CudaFindings {
  readonly platform: string;
  readonly architecture: string;
  /** First line of `nvidia-smi --query-gpu=name,driver_version --format=csv,noheader`; undefined where it does not run. */
  readonly gpu: string | undefined;
  /** What `nvidia-smi` prints by itself: its head names the newest CUDA version that the driver runs. */
  readonly driverReport: string;
  /** Paths of shared libraries, as `ldconfig -p` and folders of CUDA have them. */
  readonly libraries: readonly string[];
}

/** A package of the npm registry that holds a CUDA provider. */
export interface CudaPackage {
  readonly name: string;
  readonly version: string;
  /** Of the tarball, as npm states it. */
  readonly integrity: string;
  /** Where its libraries lie in the package. */
  readonly folder: string;
  /** Major version of CUDA that they are linked against. */
  readonly cudaMajor: number;
}

/** What to do about a GPU. */
export type CudaPlan =
  | { readonly kind: 'none'; readonly reason: string }
  | {
      readonly kind: 'install';
      readonly package: CudaPackage;
      /** Folders that the runtime's libraries were found in, for `LD_LIBRARY_PATH`. */
      readonly libraryFolders: readonly string[];
      /** Libraries that were found nowhere. */
      readonly missing: readonly string[];
    };

/** The version of onnxruntime that all {@link CUDA_PACKAGES} are built for: a provider must match it exactly. */
export const RUNTIME_VERSION = '1.29.0';

/** What is known to match onnxruntime-node of {@link RUNTIME_VERSION}. */
export const CUDA_PACKAGES: readonly CudaPackage[] = [
  {
    name: 'com.github.asus4.onnxruntime.linux-x64-gpu',
    version: '0.4.9',
    integrity:
      'sha512-FopIhNE/Ng+v2X65wVc9clPCBCvhvA53Hxo2U0Kf5fGdVsC7iCA+mZ0KLWggcQAj7TIZ6pNidR4AC10g74Xo6w==',
    folder: 'Plugins/Linux/x64',
    cudaMajor: 13,
  },
];

/** The libraries that go beside onnxruntime-node. */
export const PROVIDER_LIBRARIES = [
  'libonnxruntime_providers_shared.so',
  'libonnxruntime_providers_cuda.so',
] as const;

/** Decides what a machine needs; says why where nothing can be done. */
export function planCuda(findings: CudaFindings): CudaPlan {
  const { platform, architecture, gpu, libraries } = findings;
  const none = (reason: string): CudaPlan => ({ kind: 'none', reason });
  if (gpu === undefined)
    return none('no NVIDIA GPU was found (nvidia-smi does not run); the cpu provider is used');
  if (platform !== 'linux' || architecture !== 'x64') {
    return none(`${gpu}: there is no CUDA provider for ${platform} ${architecture}, only for linux x64`);
  }
  const installed = runtimeMajors(libraries);
  const driverMajor = driverCudaMajor(findings.driverReport);
  const candidates = CUDA_PACKAGES.filter(
    ({ cudaMajor }) => driverMajor === undefined || cudaMajor <= driverMajor,
  );
  const found = candidates.find(({ cudaMajor }) => installed.includes(cudaMajor)) ?? candidates[0];
  if (found === undefined) {
    const wanted = CUDA_PACKAGES.map(({ cudaMajor }) => cudaMajor).join(', ');
    return none(
      `${gpu}: the driver runs CUDA ${driverMajor} at most, and the provider needs ${wanted}; install a newer driver`,
    );
  }
  if (installed.length > 0 && !installed.includes(found.cudaMajor)) {
    return none(
      `${gpu}: CUDA ${installed.join(', ')} is installed, and the provider needs ${found.cudaMajor}; install that beside it`,
    );
  }
  const needed = neededLibraries(found.cudaMajor);
  const placed = needed.map((name) => libraries.find((path) => baseName(path) === name));
  return {
    kind: 'install',
    package: found,
    libraryFolders: [...new Set(placed.flatMap((path) => (path === undefined ? [] : folderOf(path))))],
    missing: needed.filter((_, index) => placed[index] === undefined),
  };
}

/** Major versions of the CUDA runtimes among the libraries, newest first. */
function runtimeMajors(libraries: readonly string[]): number[] {
  const majors = libraries.flatMap((path) => {
    const major = /^libcudart\.so\.(\d+)/.exec(baseName(path))?.[1];
    return major === undefined ? [] : Number(major);
  });
  return [...new Set(majors)].sort((one, other) => other - one);
}

function driverCudaMajor(report: string): number | undefined {
  const major = /CUDA Version:\s*(\d+)/.exec(report)?.[1];
  return major === undefined ? undefined : Number(major);
}

/** What the provider is linked against, and cuDNN, which it opens by name. */
function neededLibraries(cudaMajor: number): string[] {
  return [
    `libcudart.so.${cudaMajor}`,
    `libcublas.so.${cudaMajor}`,
    `libcublasLt.so.${cudaMajor}`,
    'libcurand.so.10',
    'libcudnn.so.9',
  ];
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
