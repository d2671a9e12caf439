/** Tests run as compiled: the same files in dist/ that ship, so worker threads and native ES modules need no transform. */
export default {
  testEnvironment: '<rootDir>/dist/test/nodeEnvironment.js',
  roots: ['<rootDir>/dist/test'],
  testMatch: ['**/*.test.js'],
  transform: {},
  moduleNameMapper: { '^onnxruntime-node$': '<rootDir>/dist/test/support/onnxruntime.js' },
  // The first test of a file may have to load the model, on a machine that does other things too.
  testTimeout: 60_000,
};
