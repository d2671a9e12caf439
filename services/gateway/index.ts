/** The gateway: Tessera's service over WebSocket and HTTP. */
export { createGateway, Gateway, STREAM_PATH } from './gateway.js';
export type { GatewayOptions, ListenOptions } from './gateway.js';
export { DEFAULT_LIMITS } from './limits.js';
export type { GatewayLimits } from './limits.js';
