/** Tessera's library: the codec, audio input and output, and speech scores. */
export * from './audio/index.js';
export { AdaptiveDepth, MAX_DEPTH_STRENGTH } from './depth/adaptiveDepth.js';
export type { AdaptiveDepthOptions, DepthBounds } from './depth/adaptiveDepth.js';
export * from './entropy/index.js';
export { loadEntropyTables } from './entropyTables.js';
export { CODEC_CONTRACT, delayMs, frameRate, loadManifest, summarizeManifest } from './manifest.js';
export type { GraphManifest, Manifest } from './manifest.js';
export { BUNDLED_MODELS, DEFAULT_MODEL, resolveModelDirectory } from './models.js';
export type { BundledModel } from './models.js';
export * from './quality/index.js';
export * from './runtime/index.js';
