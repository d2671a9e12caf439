import { TesseraError } from '../../../protocol/index.js';

/** The TesseraError that `action` throws; fails when it throws nothing or something else. */
export function errorOf(action: () => unknown): TesseraError {
  try {
    action();
  } catch (error) {
    if (error instanceof TesseraError) return error;
    throw error;
  }
  throw new Error('Nothing was thrown');
}

/** The result of `action`, or the TesseraError it threw; any other error fails the test. */
export function valueOrTesseraError<T>(action: () => T): T | TesseraError {
  try {
    return action();
  } catch (error) {
    if (error instanceof TesseraError) return error;
    throw error;
  }
}
