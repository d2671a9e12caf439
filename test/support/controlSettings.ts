import type { ControlSettings } from '../../services/bitrate/index.js';

/** Of a session with up to 12 codebooks of 10-bit codes, 50 frames a second and 6 of them a packet at the most. */
export const CONTROL_SETTINGS: ControlSettings = {
  minQuantizers: 1,
  maxQuantizers: 12,
  maxFramesPerPacket: 6,
  frameMs: 20,
  bitsPerCode: 10,
};
