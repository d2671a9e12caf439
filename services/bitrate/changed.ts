import type { ControlState } from './types.js';

/** A state with some of its fields changed. A spread with the same fields behind it takes three times as long. */
export function changed(state: ControlState, changes: Partial<ControlState>): ControlState {
  return Object.assign({}, state, changes);
}
