/**
 * Every error that Tessera reports, by its stable code. `closeCode` is the WebSocket close code of a session that ends
 * with it (null: it never ends a session); `retryable` says whether the same request may succeed later; `advice` says
 * what happened and what to do.
 * `protocol/README.md` prints this table, and a test compares the two.
 */
export const ERROR_CODES = {
  bad_message: {
    closeCode: 4400,
    retryable: false,
    advice:
      'A control message is not JSON, of no known type, or has a malformed field: correct the field that the sentence names.',
  },
  bad_frame: {
    closeCode: 4401,
    retryable: false,
    advice: 'A binary frame is malformed, of an unknown type, or goes the wrong way: correct the sender.',
  },
  bad_state: {
    closeCode: 4402,
    retryable: false,
    advice:
      'A message came when the session does not allow it: wait for the message that the sentence names.',
  },
  bad_options: {
    closeCode: 4403,
    retryable: false,
    advice: 'The fields of a message contradict each other or the model: change them as the sentence says.',
  },
  unsupported_version: {
    closeCode: 4404,
    retryable: false,
    advice: 'The server does not speak this version of the protocol: open with one that the sentence names.',
  },
  frame_too_large: {
    closeCode: 4405,
    retryable: false,
    advice: 'A message or frame is above the limit in "opened": send smaller pieces.',
  },
  bad_audio: {
    closeCode: 4410,
    retryable: false,
    advice: 'The input cannot be read as the format that was agreed: check the file or the format.',
  },
  unsupported_audio: {
    closeCode: 4411,
    retryable: false,
    advice: 'The input is sound, but of a kind that cannot be read here: convert it.',
  },
  bad_tokens: {
    closeCode: 4412,
    retryable: false,
    advice:
      'Codes are outside the codebook or their bits do not add up: use the figures of the model in "opened".',
  },
  open_timeout: {
    closeCode: 4420,
    retryable: true,
    advice: 'No "open" came in time after the handshake: connect again and open at once.',
  },
  idle_timeout: {
    closeCode: 4421,
    retryable: true,
    advice:
      'Nothing came for longer than the limit: connect again, and send "ack" while there is nothing else.',
  },
  session_limit: {
    closeCode: 4422,
    retryable: true,
    advice: 'The session reached the longest time or the most data that the server allows: open another.',
  },
  input_overflow: {
    closeCode: 4423,
    retryable: true,
    advice: 'More input came than the server may hold: send no faster than it is taken, or in real time.',
  },
  at_capacity: {
    closeCode: 4430,
    retryable: true,
    advice: 'The server has no room for another session: try again after retryAfterMs, or elsewhere.',
  },
  going_away: {
    closeCode: 4431,
    retryable: true,
    advice: 'The server is stopping: connect again, to another server if there is one.',
  },
  stream_taken: {
    closeCode: 4440,
    retryable: true,
    advice: 'Another session publishes under this name: choose another, or wait until it has ended.',
  },
  no_such_stream: {
    closeCode: 4441,
    retryable: true,
    advice: 'Nobody publishes a stream of this name: check it, or wait until it is published.',
  },
  stream_ended: {
    closeCode: 4442,
    retryable: true,
    advice: 'The stream that was subscribed to has ended: subscribe again when it is published again.',
  },
  internal: {
    closeCode: 4500,
    retryable: true,
    advice: 'A fault of the server: try again; report it with the session id if it stays.',
  },
  bad_container: {
    closeCode: null,
    retryable: false,
    advice: 'A .tsr file is damaged at the place that the sentence names, or is no .tsr file.',
  },
  truncated_container: {
    closeCode: null,
    retryable: false,
    advice: 'A .tsr file ends early: what was read is sound, the rest is missing.',
  },
  unknown_model: {
    closeCode: null,
    retryable: false,
    advice: 'There is no bundled model of this name, and no such folder: take one that the sentence names.',
  },
  bad_manifest: {
    closeCode: null,
    retryable: false,
    advice: 'The manifest of a model is missing, malformed or of another contract: install the model again.',
  },
  not_streaming: {
    closeCode: null,
    retryable: false,
    advice:
      'The model is not causal: encode and decode recordings with it, and take another one for live streams.',
  },
  model_mismatch: {
    closeCode: null,
    retryable: false,
    advice: 'Tokens were made with another model: use the one whose digest they name.',
  },
  model_tampered: {
    closeCode: null,
    retryable: false,
    advice: 'A model file does not have the hash of its manifest: install the model again.',
  },
  bad_codec_state: {
    closeCode: null,
    retryable: false,
    advice: 'A saved codec state is damaged or of another model: start the stream anew.',
  },
  provider_unavailable: {
    closeCode: null,
    retryable: false,
    advice: 'The execution provider that was asked for does not run here: choose another, or "auto".',
  },
  listen_failed: {
    closeCode: null,
    retryable: false,
    advice: 'The server cannot listen at the address that was asked for: choose another port or host.',
  },
  file_error: {
    closeCode: null,
    retryable: false,
    advice: 'A file could not be read or written: check its path and rights.',
  },
  connection_failed: {
    closeCode: null,
    retryable: true,
    advice:
      'A client found no server at the address, or lost it and could not come back: check both, then connect again.',
  },
  microphone_unavailable: {
    closeCode: null,
    retryable: false,
    advice: 'A page may not use a microphone, or there is none: have the user allow or connect one.',
  },
  unsupported_platform: {
    closeCode: null,
    retryable: false,
    advice: 'A browser or runtime lacks what the sentence names: do as it says, or do without.',
  },
  usage: {
    closeCode: null,
    retryable: false,
    advice: 'The command line was not understood: see --help.',
  },
} as const satisfies Record<string, { closeCode: number | null; retryable: boolean; advice: string }>;

/** A code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An error with a stable code and a sentence that says what was wrong and what to do. */
export class TesseraError extends Error {
  /** Tells a Tessera error from others in logs and across threads. */
  override readonly name = 'TesseraError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  /** `error` itself where it is one of ours, else an `internal` (or the given code) error that wraps it. */
  static from(error: unknown, code: ErrorCode = 'internal'): TesseraError {
    if (error instanceof TesseraError) return error;
    return new TesseraError(code, error instanceof Error ? error.message : String(error), { cause: error });
  }
}
