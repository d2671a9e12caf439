/** Tessera's library: the codec, audio input and output, and speech scores. */
export * from './audio/index.js';
export {
  CODEC_CONTRACT,
  DEFAULT_MODEL_DIRECTORY,
  delayMs,
  frameRate,
  loadManifest,
  summarizeManifest,
} from './manifest.js';
export type { GraphManifest, Manifest } from './manifest.js';
export * from './quality/index.js';
export * from './runtime/index.js';
