import { TesseraError } from '../../protocol/errors.js';
import type { CodecState } from './state.js';
import type { StateSlots } from './stateSlots.js';

/** Streams that were dropped without `close()` give their slot back when they are collected. */
export const dropped = new FinalizationRegistry<{ readonly slots: StateSlots; readonly state: CodecState }>(
  ({ slots, state }) => slots.giveBack(state),
);

/** What a stream answers after `close()`. */
export function closedError(): TesseraError {
  return new TesseraError('bad_state', 'The stream is closed');
}
