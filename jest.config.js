import { availableParallelism } from 'node:os';

/** Tests run as compiled: the same files in dist/ that ship, so worker threads and native ES modules need no transform. */
export default {
  testEnvironment: '<rootDir>/dist/test/nodeEnvironment.js',
  roots: ['<rootDir>/dist/test'],
  testMatch: ['**/*.test.js'],
  transform: {},
  moduleNameMapper: { '^onnxruntime-node$': '<rootDir>/dist/test/support/onnxruntime.js' },
  // Tests of processes and sockets wait a lot: two workers pay even on two cores.
  maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
  // Modules of finished test files and models stay in a worker's memory; it is renewed above this.
  workerIdleMemoryLimit: '1GB',
  // The first test of a file may have to load the model, on a machine that does other things too.
  testTimeout: 60_000,
};
