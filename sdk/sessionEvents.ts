import type { TesseraError } from '../protocol/errors.js';
import type { GapFrame } from '../protocol/frames.js';
import type { ServerMessageOf } from '../protocol/serverMessages.js';
import type { TokenBlock } from '../protocol/tokens.js';
import type { PlaybackStats } from './audio/playbackStats.js';
import type { LocalRuntime } from './local/workerMessages.js';
import type { ClientState } from './sessionState.js';

/** Samples that came: mono, in [-1, 1]. */
export interface AudioChunk {
  /** Position in the session's sound of the first sample; sample n answers sample n of the input. */
  readonly firstSampleIndex: number;
  readonly samples: Float32Array;
  /** Hz. */
  readonly sampleRate: number;
}

/** Figures of a session so far, over all its connections. */
export interface SessionStats {
  readonly state: ClientState;
  /** Frames that came or became gaps: the index of the next. */
  readonly nextFrameIndex: number;
  /** Frames that never came. */
  readonly gapFrames: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Of codes, as the server has it in force. */
  readonly bitsPerSecond: number;
  /** While it is played. */
  readonly playback?: PlaybackStats;
  /** What the encoder and the decoder in the page run on, where there are any. */
  readonly encodedOn: LocalRuntime | undefined;
  readonly decodedOn: LocalRuntime | undefined;
}

/** The events of a session, by name. */
export interface SessionEvents {
  readonly state: ClientState;
  readonly tokens: TokenBlock;
  readonly audio: AudioChunk;
  /** Frames that never came, and why. */
  readonly gap: Omit<GapFrame, 'kind'>;
  readonly bitrate: Omit<ServerMessageOf<'bitrate'>, 'type'>;
  readonly stats: SessionStats;
  /** What ended the session, where that was not in order. */
  readonly error: TesseraError;
}
