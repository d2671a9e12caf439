/** Audio in and out: files, pipes and live streams to mono PCM at the codec's rate, and back to files. */
export { AudioIngest } from './ingest.js';
export type { AudioIngestOptions, IngestFormat, RawPcmFormat } from './ingest.js';
export { MAX_CHANNELS, SAMPLE_RATE_RANGE } from './limits.js';
export { StreamingResampler } from './resampler.js';
export { openAudioSink, writeAudio } from './sink.js';
export type { AudioSink, AudioSinkOptions } from './sink.js';
export { openAudio, readAudio } from './source.js';
export type { AudioInfo, AudioSource, OpenAudioOptions } from './source.js';
