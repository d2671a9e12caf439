/** The codec itself: a model's graphs, and streams of samples and tokens through them. */
export { DecoderBatch, EncoderBatch } from './batch.js';
export type { RunTensors } from './batch.js';
export { MAX_FRAMES_PER_RUN, MAX_ROWS_PER_RUN } from './batchPlan.js';
export { decodeBatch, StreamingDecoder } from './decoder.js';
export type { DecodeItem } from './decoder.js';
export { encodeBatch, StreamingEncoder } from './encoder.js';
export type { EncodedBlock, EncodeItem, FrameMeasures } from './encoder.js';
export { CodecModel } from './model.js';
export type { LoadModelOptions } from './model.js';
export { decodeTokens, decodeWhole, encodePcm } from './offline.js';
export type { DecodeTokensOptions, EncodedTokens, EncodePcmOptions, EncodeTotals } from './offline.js';
export { PROVIDERS } from './providers.js';
export type { Provider, ProviderFailure } from './providers.js';
export { CodecState } from './state.js';
export type { Side } from './state.js';
