/** Tests run as compiled: the same files in dist/ that ship, so worker threads and native ES modules need no transform. */
export default {
  testEnvironment: '<rootDir>/dist/test/nodeEnvironment.js',
  roots: ['<rootDir>/dist/test'],
  testMatch: ['**/*.test.js'],
  transform: {},
  testTimeout: 60_000,
};
