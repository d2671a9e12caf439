import type { ConnectOptions } from './options.js';
import { fetchEntropyCoding, needsEntropyCoding } from './entropyCoding.js';
import { modelUrlOf } from './local/modelFiles.js';
import { openMessage, webSocketClass } from './options.js';
import { Session } from './session.js';

const DEFAULT_INPUT_BUFFER_MS = 1000;

/**
 * Opens a session with the server at `url` (`wss://host/v1/stream`, or a `URL`).
 * @returns the session once the server has answered.
 * @throws TesseraError `connection_failed` where there is no answer, else the server's refusal, such as `at_capacity`
 * or `bad_options`; `unsupported_platform` without a WebSocket; where tokens are entropy-coded, also `model_tampered`
 * and `model_mismatch`.
 */
export async function connect(
  url: string | { readonly href: string },
  options: ConnectOptions = {},
): Promise<Session> {
  const address = typeof url === 'string' ? url : url.href;
  const {
    reconnect = {},
    maxInputBufferMs = DEFAULT_INPUT_BUFFER_MS,
    modelUrl = modelUrlOf(address),
    WebSocket,
    ...request
  } = options;
  const open = openMessage(request);
  const connection = {
    url: address,
    open,
    WebSocket: webSocketClass(WebSocket),
    reconnect: reconnect === false ? undefined : reconnect,
  };
  const coding = needsEntropyCoding(open) ? await fetchEntropyCoding(modelUrl) : undefined;
  return Session.connect(connection, { maxInputBufferMs, modelUrl, coding });
}

export { TesseraError } from '../protocol/errors.js';
export type { ErrorCode } from '../protocol/errors.js';
export type { TokenBlock } from '../protocol/tokens.js';
export type { BitrateRange } from '../protocol/clientMessages.js';
export type { ModelSummary, SessionTotals } from '../protocol/serverMessages.js';
export type { PlaybackStats } from './audio/playbackStats.js';
export type { ReconnectOptions } from './backoff.js';
export type { Unsubscribe } from './emitter.js';
export type { WebSocketConstructor, WebSocketLike } from './link.js';
export type { LocalModelOptions } from './local/codecWorker.js';
export type { LocalEncodeOptions, LocalEncoding } from './local/localEncoder.js';
export type { DownloadProgress } from './local/modelFiles.js';
export type { Microphone, MicrophoneOptions } from './microphone.js';
export type { ConnectOptions, SessionRequest } from './options.js';
export type { AudioContextLike, AudioNodeLike, MediaStreamLike } from './platform.js';
export type { Player, PlayOptions } from './player.js';
export type { Session } from './session.js';
export type { AudioChunk, SessionEvents, SessionStats } from './sessionEvents.js';
export type { ClientState } from './sessionState.js';
