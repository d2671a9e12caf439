import type { OpenMessage } from '../protocol/clientMessages.js';
import { TesseraError } from '../protocol/errors.js';
import { PROTOCOL_VERSION } from '../protocol/limits.js';
import type { InputFormatFields } from './audioInput.js';
import type { ReconnectOptions } from './backoff.js';
import type { EntropyCoding } from './entropyCoding.js';
import type { WebSocketConstructor } from './link.js';

/** What is asked of the server, as in the `open` message of the protocol; every field may be left out. */
export type SessionRequest = {
  readonly [
    Field in keyof Omit<OpenMessage, 'type' | 'version' | 'resume' | 'input' | 'output'>
  ]?: OpenMessage[Field];
} & {
  /** What is sent. Audio by default is `pcm_s16le` at 24,000 Hz, one channel. */
  readonly input?: Partial<InputFormatFields>;
  /** What comes back. Audio by default is `pcm_s16le`. */
  readonly output?: Partial<OpenMessage['output']>;
};

/** What {@link connect} may be told. */
export interface ConnectOptions extends SessionRequest {
  /** How to come back after a connection broke, or false: it ends the session. */
  readonly reconnect?: ReconnectOptions | false;
  /** Sound that is kept while there is no connection, and sent when there is one: 1,000 ms when left out. */
  readonly maxInputBufferMs?: number;
  /**
   * Folder of the model's `manifest.json`, with a slash at its end, for what runs here: entropy coding, local decoding and
   * encoding. By default the server's `/v1/model/`.
   */
  readonly modelUrl?: string;
  /** Needed where the platform has none, such as `ws` in Node 20; `tessera/client` for Node brings it. */
  readonly WebSocket?: WebSocketConstructor;
}

/** What a session needs besides its connections. */
export interface SessionOptions {
  /** Sound that is kept while there is no connection. */
  readonly maxInputBufferMs: number;
  /** Folder of the server's model files, with a slash at its end. */
  readonly modelUrl: string;
  /** Where tokens go or come entropy-coded. */
  readonly coding: EntropyCoding | undefined;
}

/** Of raw audio that is sent, where nobody says otherwise: all of speech that matters, half the bits of 48 kHz. */
const DEFAULT_INPUT_RATE = 24_000;

/** The `open` message for what is asked, with what was left out filled in. */
export function openMessage({ mode = 'resynth', input, output, ...rest }: SessionRequest): OpenMessage {
  const format = input?.format ?? (mode === 'decode' || mode === 'relay' ? 'tokens' : 'pcm_s16le');
  const isRaw = format === 'pcm_s16le' || format === 'pcm_f32le';
  const givesTokens = mode === 'encode' || mode === 'subscribe' || mode === 'relay';
  return {
    type: 'open',
    version: PROTOCOL_VERSION,
    mode,
    ...withoutUndefined(rest),
    ...(mode === 'subscribe'
      ? {}
      : { input: { format, ...(isRaw ? { sampleRate: DEFAULT_INPUT_RATE } : {}), ...input } }),
    output: { format: givesTokens ? 'tokens' : 'pcm_s16le', ...output },
  };
}

/** The WebSocket that was given, else the platform's. @throws TesseraError `unsupported_platform` where there is none. */
export function webSocketClass(given: WebSocketConstructor | undefined): WebSocketConstructor {
  const found = given ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (found) return found;
  throw new TesseraError('unsupported_platform', 'There is no WebSocket here: give one as options.WebSocket');
}

function withoutUndefined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
