import type { EntropyTables } from '../codec/entropy/index.js';
import type { OpenMessage } from '../protocol/clientMessages.js';
import type { ServerMessageOf } from '../protocol/serverMessages.js';
import { AudioInput, type ClientInput } from './audioInput.js';
import { TokenInput } from './tokenInput.js';

/** Of a session that only listens: there is nothing to send, and a new session follows on the last one's frames. */
const NO_INPUT: ClientInput = {
  resume: () => [],
  restart: (nextFrameIndex) => ({ frames: [], frameBase: nextFrameIndex }),
};

/** The input side of a session that was opened for `input`; keeps `maxBufferMs` of sound. `tables` for entropy coding. */
export function createInput(
  input: OpenMessage['input'],
  { model, limits }: ServerMessageOf<'opened'>,
  maxBufferMs: number,
  tables: EntropyTables | undefined,
): ClientInput {
  if (input === undefined) return NO_INPUT;
  if (input.format !== 'tokens') return new AudioInput(input, model, limits, maxBufferMs);
  const maxFrames = Math.ceil((maxBufferMs * model.frameRate) / 1000);
  return new TokenInput(maxFrames, model, input.coding === 'entropy' ? tables : undefined);
}
