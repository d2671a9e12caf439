import { ERROR_CODES, TesseraError, type ErrorCode } from '../protocol/errors.js';
import type { ServerMessageOf } from '../protocol/serverMessages.js';

/** Why a connection is over, and whether another may do better. */
export interface ConnectionEnd {
  readonly error: TesseraError;
  readonly retryable: boolean;
  /** The server asks to wait for so long. */
  readonly retryAfterMs?: number | undefined;
}

/** Sent again, input would overflow again; and a stream that has ended is news for whoever listened. */
const NEVER_RETRIED: ReadonlySet<string> = new Set<ErrorCode>(['input_overflow', 'stream_ended']);

/** The end that an `error` or `closing` message announces. A code of a later version goes by `retryable`. */
export function endOfMessage(
  message: Pick<ServerMessageOf<'error'>, 'code' | 'message'> & {
    readonly retryable?: boolean;
    readonly retryAfterMs?: number | undefined;
  },
): ConnectionEnd {
  const { code, retryAfterMs } = message;
  if (Object.hasOwn(ERROR_CODES, code)) {
    const error = new TesseraError(code as ErrorCode, message.message);
    return { error, retryable: error.retryable && !NEVER_RETRIED.has(code), retryAfterMs };
  }
  const retryable = message.retryable ?? false;
  const error = new TesseraError(retryable ? 'internal' : 'bad_options', `${code}: ${message.message}`);
  return { error, retryable, retryAfterMs };
}

/** The end that a close code tells where no message came before it. */
export function endOfClose(closeCode: number, url: string): ConnectionEnd {
  for (const [code, entry] of Object.entries(ERROR_CODES)) {
    if (entry.closeCode === closeCode) return endOfMessage({ code, message: entry.advice });
  }
  // From 4000 up, a code of a later version, which is final.
  const retryable = closeCode < 4000;
  const error = new TesseraError('connection_failed', `The connection to ${url} closed (${closeCode})`);
  return { error, retryable };
}
