export { parseEntropyTables } from './tables.js';
export type { EntropyTables } from './tables.js';
export { TokenDecoder, TokenEncoder } from './tokenCoder.js';
export type { PacketOptions } from './tokenCoder.js';
