/** The engine: inference for many sessions, away from the caller's thread. */
export { Engine } from './engine.js';
export { EngineSession } from './engineSession.js';
export { providerBounds } from './providerBounds.js';
export type { ProviderBounds } from './providerBounds.js';
export type {
  EngineModel,
  EngineOptions,
  EngineResult,
  EngineSessionOptions,
  EngineState,
  RunFigures,
} from './types.js';
