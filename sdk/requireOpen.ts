import { TesseraError } from '../protocol/errors.js';

/** `value`, which a session has once it was open. @throws TesseraError `bad_state` */
export function requireOpen<T>(value: T | undefined): T {
  if (value === undefined) throw new TesseraError('bad_state', 'The session was never open');
  return value;
}
