import type { SessionLimits } from '../../protocol/serverMessages.js';
import { PROTOCOL_LIMITS } from '../../protocol/limits.js';

/** Every bound of the gateway. The first group is told to clients in `opened`; see the protocol's section on limits. */
export interface GatewayLimits extends SessionLimits {
  /**
   * Sessions at once, those that wait for their client to resume included; undefined for as many as the engine finds
   * that it carries.
   */
  readonly maxSessions: number | undefined;
  /** From the handshake to `open`. */
  readonly openTimeoutMs: number;
  /** Longest session. */
  readonly maxSessionMs: number;
  /** Between pings; a connection that answers none in that time is dead. */
  readonly pingIntervalMs: number;
  /** Sent output of a session that is kept for its client to resume. */
  readonly maxReplayBytes: number;
  /** Streams published at once. */
  readonly maxStreams: number;
  readonly maxSubscribersPerStream: number;
}

/** What holds where nothing else is asked for. */
export const DEFAULT_LIMITS: GatewayLimits = {
  maxMessageBytes: PROTOCOL_LIMITS.maxMessageBytes,
  maxFrameBytes: 131_072,
  maxFramesPerPacket: 50,
  maxInputBufferBytes: 262_144,
  maxOutputBufferBytes: 262_144,
  maxInputGapMs: 10_000,
  idleTimeoutMs: 60_000,
  resumeWindowMs: 15_000,
  maxSessions: undefined,
  openTimeoutMs: 10_000,
  maxSessionMs: 24 * 60 * 60 * 1000,
  pingIntervalMs: 15_000,
  maxReplayBytes: 131_072,
  maxStreams: 256,
  maxSubscribersPerStream: 1000,
};

/** The part of the limits that clients are told. */
export function sessionLimits(limits: GatewayLimits): SessionLimits {
  return {
    maxMessageBytes: limits.maxMessageBytes,
    maxFrameBytes: limits.maxFrameBytes,
    maxFramesPerPacket: limits.maxFramesPerPacket,
    maxInputBufferBytes: limits.maxInputBufferBytes,
    maxOutputBufferBytes: limits.maxOutputBufferBytes,
    maxInputGapMs: limits.maxInputGapMs,
    idleTimeoutMs: limits.idleTimeoutMs,
    resumeWindowMs: limits.resumeWindowMs,
  };
}
