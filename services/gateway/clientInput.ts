import type { EntropyTables } from '../../codec/entropy/index.js';
import type { OpenMessage } from '../../protocol/clientMessages.js';
import { TesseraError } from '../../protocol/errors.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { EngineSession } from '../engine/index.js';
import { tablesFor } from './codedPacker.js';
import { FileInput } from './fileInput.js';
import type { GatewayLimits } from './limits.js';
import { PcmInput } from './pcmInput.js';
import { Relay, type RelayOptions } from './relay.js';
import { rawInput } from './sessionContext.js';
import type { SessionInput, SessionInputHost } from './sessionInput.js';
import type { PublishedStream } from './streamHub.js';
import { TokenInput } from './tokenInput.js';

/** What the input of a session that its client sends to is made with. */
export interface ClientInputOptions extends Omit<RelayOptions, 'stream'> {
  readonly engine: EngineSession | undefined;
  /** What it publishes: in mode `relay` the tokens that are sent. */
  readonly stream: PublishedStream | undefined;
  readonly model: ModelSummary;
  /** Of the model. */
  readonly entropyTables: EntropyTables | undefined;
  readonly limits: GatewayLimits;
  readonly host: SessionInputHost;
}

/** The input side of any mode but `subscribe`. @throws TesseraError `bad_options` as {@link tablesFor} does. */
export function createClientInput(open: OpenMessage, options: ClientInputOptions): SessionInput {
  const { engine, stream, model, entropyTables, limits, host } = options;
  const { input, mode } = open;
  const sink = mode === 'relay' ? stream && new Relay({ ...options, stream }) : engine;
  if (input?.format === 'tokens' && sink) {
    return new TokenInput(sink, model, limits, host, tablesFor(input.coding, entropyTables));
  }
  if (engine === undefined || input === undefined) {
    throw new TesseraError('internal', `Mode ${mode} was opened without input or engine`);
  }
  const format = rawInput(open, model);
  if (format) return new PcmInput(format, engine, limits, host);
  return new FileInput(input.format === 'wav' ? 'wav' : 'container', engine, model, limits, host);
}
