/**
 * Every error that Tessera reports, by its stable code. `closeCode` is the WebSocket close code of a session that ends
 * with it (null: the session goes on); `retryable` says whether the same request may succeed later.
 * `protocol/README.md` prints this table, and a test compares the two.
 */
export const ERROR_CODES = {
  bad_message: { closeCode: 4400, retryable: false },
  bad_frame: { closeCode: 4401, retryable: false },
  bad_state: { closeCode: 4402, retryable: false },
  bad_options: { closeCode: 4403, retryable: false },
  unsupported_version: { closeCode: 4404, retryable: false },
  frame_too_large: { closeCode: 4405, retryable: false },
  bad_audio: { closeCode: 4410, retryable: false },
  unsupported_audio: { closeCode: 4411, retryable: false },
  bad_tokens: { closeCode: 4412, retryable: false },
  open_timeout: { closeCode: 4420, retryable: true },
  idle_timeout: { closeCode: 4421, retryable: true },
  session_limit: { closeCode: 4422, retryable: true },
  input_overflow: { closeCode: 4423, retryable: true },
  at_capacity: { closeCode: 4430, retryable: true },
  going_away: { closeCode: 4431, retryable: true },
  internal: { closeCode: 4500, retryable: true },
  bad_container: { closeCode: null, retryable: false },
  truncated_container: { closeCode: null, retryable: false },
  bad_manifest: { closeCode: null, retryable: false },
  model_mismatch: { closeCode: null, retryable: false },
  model_tampered: { closeCode: null, retryable: false },
  bad_codec_state: { closeCode: null, retryable: false },
  provider_unavailable: { closeCode: null, retryable: false },
  file_error: { closeCode: null, retryable: false },
  usage: { closeCode: null, retryable: false },
} as const satisfies Record<string, { closeCode: number | null; retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An error with a stable code and a sentence that says what was wrong and what to do. */
export class TesseraError extends Error {
  override readonly name = 'TesseraError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  /** `error` itself where it is one of ours, else an `internal` (or the given code) error that wraps it. */
  static from(error: unknown, code: ErrorCode = 'internal'): TesseraError {
    if (error instanceof TesseraError) return error;
    return new TesseraError(code, error instanceof Error ? error.message : String(error), { cause: error });
  }
}
