import { randomBytes } from 'node:crypto';
import type { EntropyTables } from '../../codec/entropy/index.js';
import type { RawPcmFormat } from '../../codec/audio/index.js';
import type { BitrateRange, ClientMessage, Depth, OpenMessage } from '../../protocol/clientMessages.js';
import type { TesseraError } from '../../protocol/errors.js';
import { isPcmFormat, resolveBitrate, type QuantizerRange } from '../../protocol/options.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import type { Engine, EngineSessionOptions } from '../engine/index.js';
import type { Logger } from '../log.js';
import type { GatewayLimits } from './limits.js';
import type { GatewayMetrics } from './metrics.js';
import type { OutputSink } from './outputQueue.js';
import type { StreamHub } from './streamHub.js';

/** What a session tells the connection that it is attached to. */
export interface SessionClient extends OutputSink {
  /** True when the socket should pause, false when it may go on. */
  readonly onPause: (paused: boolean) => void;
  /** The session cannot go on. */
  readonly onError: (error: TesseraError) => void;
  /** The answer to a flush is about to be sent. */
  readonly onFlushed: () => void;
  /** The stream that it is subscribed to has ended. */
  readonly onStreamEnd: () => void;
}

/** What all sessions of a gateway share. */
export interface SessionContext {
  readonly engine: Engine;
  readonly hub: StreamHub;
  /** Of the model; undefined where it has none. */
  readonly entropyTables: EntropyTables | undefined;
  readonly limits: GatewayLimits;
  readonly metrics: GatewayMetrics;
  readonly log: Logger;
}

/** What an `ack` said, and when it came. */
export interface Acknowledgement extends Omit<Extract<ClientMessage, { type: 'ack' }>, 'type'> {
  /** Of this machine's monotonic clock. */
  readonly receivedMs: number;
}

/** What a session of the engine takes and gives where that is raw PCM. */
export function engineFormats(
  open: OpenMessage,
  model: ModelSummary,
): Pick<EngineSessionOptions, 'input' | 'output'> {
  const input = rawInput(open, model);
  const { format } = open.output;
  return { ...(input && { input }), ...(isPcmFormat(format) && { output: format }) };
}

/** The raw PCM that a client sends; undefined where it sends a file, tokens or nothing. */
export function rawInput({ input }: OpenMessage, model: ModelSummary): RawPcmFormat | undefined {
  if (input === undefined || !isPcmFormat(input.format)) return undefined;
  const { format, sampleRate = model.sampleRate, channels = 1 } = input;
  return { format, sampleRate, channels };
}

/** A secret that names a session to whoever resumes it. */
export function newToken(): string {
  return randomBytes(24).toString('base64url');
}

/** Whether two clients ask for the same, but for the bitrate, which may change. */
export function isSameSession(one: OpenMessage, other: OpenMessage): boolean {
  const keyOf = ({ mode, input, output, publish, stream }: OpenMessage): string =>
    JSON.stringify([
      mode,
      input?.format,
      input?.sampleRate,
      input?.channels ?? 1,
      output.format,
      input?.coding,
      output.framesPerPacket ?? 1,
      output.coding,
      output.bitsPerPacket,
      publish?.stream,
      stream,
    ]);
  return keyOf(one) === keyOf(other);
}

/** A session's range of codebooks, and how each frame's number is chosen; fixed when left out. */
export interface SessionRange extends QuantizerRange {
  readonly depth?: Depth;
}

/** What a client's bitrate range means on a model. @throws TesseraError `bad_options` as `resolveBitrate` does. */
export function sessionRange(bitrate: BitrateRange | undefined, model: ModelSummary): SessionRange {
  return { ...resolveBitrate(bitrate, model), ...(bitrate?.depth && { depth: bitrate.depth }) };
}

/** The fewest codebooks of a frame where depth is adaptive; undefined where it is fixed. */
export function adaptiveMinimum({ depth, minQuantizers }: SessionRange): number | undefined {
  return depth === 'adaptive' ? minQuantizers : undefined;
}
