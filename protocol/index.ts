export { bitsPerCode, isCodebookSize, packCodes, packedLength, unpackCodes } from './bitPacking.js';
export { cutCodedRun, readCodedBody, writeCodedBody } from './codedRun.js';
export type { CodedRun, CodedRunLimits } from './codedRun.js';
export {
  CODINGS,
  DEPTHS,
  INPUT_FORMATS,
  MODES,
  OUTPUT_FORMATS,
  RATE_CONTROLS,
  SESSION_MODES,
  STREAM_NAME,
} from './clientMessages.js';
export type {
  BitrateRange,
  ClientMessage,
  Coding,
  Depth,
  InputFormat,
  Mode,
  OpenMessage,
  OutputFormat,
  SessionMode,
} from './clientMessages.js';
export { ERROR_CODES, TesseraError } from './errors.js';
export type { ErrorCode } from './errors.js';
export {
  decodeClientFrame,
  decodeFrame,
  decodeServerFrame,
  encodeFrame,
  FRAME_TYPES,
  GAP_REASONS,
} from './frames.js';
export type {
  AudioFrame,
  ClientFrame,
  CodedFrame,
  Frame,
  FrameContext,
  GapFrame,
  GapReason,
  PcmFrame,
  ServerFrame,
  TokensFrame,
} from './frames.js';
export { PROTOCOL_LIMITS, PROTOCOL_VERSION, selectSubprotocol, SUBPROTOCOL } from './limits.js';
export { encodeMessage, errorMessage, parseClientMessage, parseServerMessage } from './messages.js';
export { bitsPerSecond, checkOpenOptions, checkRateControl, isPcmFormat, resolveBitrate } from './options.js';
export type { QuantizerRange } from './options.js';
export { bytesPerSample, decodePcm, encodePcm, PCM_FORMATS } from './pcm.js';
export type { PcmFormat } from './pcm.js';
export type {
  ModelSummary,
  ServerMessage,
  ServerMessageOf,
  SessionLimits,
  SessionTotals,
} from './serverMessages.js';
export { sliceFrames, takeQuantizers } from './tokens.js';
export type { TokenBlock } from './tokens.js';
export { MAX_VARINT_BYTES, readVarint, varintLength, writeVarint } from './varint.js';
export type { VarintRead } from './varint.js';
export { SESSION_EVENTS, SESSION_STATES, sessionStateError, sessionTransition } from './session.js';
export type { SessionEvent, SessionState, SessionTransition } from './session.js';
export { CONTAINER_LIMITS, CONTAINER_MAGIC, CONTAINER_VERSION } from './container/format.js';
export type { ContainerHeader, ContainerIndexEntry, ContainerTrailer } from './container/format.js';
export { ContainerReader } from './container/reader.js';
export type { ContainerEvent, RecordPlace } from './container/reader.js';
export { ContainerSeeker } from './container/seeker.js';
export type { ContainerRun, RandomAccessSource } from './container/seeker.js';
export { ContainerWriter } from './container/writer.js';
export { crc32c } from './crc32c.js';
export { placeAudio } from './inputCursor.js';
export type { AudioPlacement } from './inputCursor.js';
