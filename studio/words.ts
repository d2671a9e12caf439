import { TesseraError } from '../protocol/errors.js';

/** A failure that the visitor can do something about; the message says what. */
export class StudioError extends Error {
  override readonly name = 'StudioError';
}

const WORDS: Readonly<Record<string, string>> = {
  at_capacity: 'The server carries as many sessions as it can. Wait a moment and press the button again.',
  going_away: 'The server is stopping. Try again when it is back.',
  idle_timeout: 'Nothing was heard for too long, so the server ended the session. Start again.',
  session_limit: 'The session reached the longest time that the server allows. Start again.',
  connection_failed:
    'The server cannot be reached. Check that it runs (npx tessera serve), then start again.',
  stream_taken: 'Two are in this room already. Choose another name.',
  internal: 'The server had a fault. Start again; if it stays, its log says why.',
};

/** What to tell the visitor of an error: what happened, and what to do. */
export function wordsOf(error: unknown): string {
  if (error instanceof StudioError) return error.message;
  if (error instanceof TesseraError) return WORDS[error.code] ?? `${error.message} (${error.code})`;
  return `Something went wrong in this page: ${error instanceof Error ? error.message : String(error)}. Reload it.`;
}
