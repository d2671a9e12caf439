export { SAMPLE_RATE_RANGE, MAX_CHANNELS } from './limits.js';
export { StreamingResampler } from './resampler.js';
export { openAudio, readAudio } from './source.js';
export type { AudioInfo, AudioSource, OpenAudioOptions } from './source.js';
