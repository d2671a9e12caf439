export { AckTimer } from './ackTimer.js';
export { CONTROL_TRANSITIONS } from './controlStates.js';
export { noteSent, startControl, stepControl } from './controller.js';
export { choosePacketShape, rateBounds } from './packetShapes.js';
export { CONTROL_EVENTS, CONTROL_STATES } from './types.js';
export type {
  ControlEvent,
  ControlSettings,
  ControlState,
  ControlStateName,
  Decision,
  DecisionReasons,
  Feedback,
  PacketShape,
  SentPacket,
} from './types.js';
export {
  DELAYED_ACK_MS,
  GAP_WIRE_BYTES,
  packetWireBytes,
  TCP_IP_HEADER_BYTES,
  wireBitsPerSecond,
  wireBytesOf,
} from './wireCost.js';
export { PacedOutput } from './pacedOutput.js';
export type { PaceablePacket, PacedOutputHost } from './pacedOutput.js';
