/** Name of the channel on which a test asks the worker of `failingWorker.ts` to crash. */
export const CRASH_CHANNEL = 'tessera-test-crash';
