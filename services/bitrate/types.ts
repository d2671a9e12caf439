/** What a packet may be: so many codebooks of each of its frames. */
export interface PacketShape {
  readonly quantizers: number;
  readonly framesPerPacket: number;
}

/** What a controller has to know of its session. It does not change but for the range. */
export interface ControlSettings {
  /** The session's bitrate range. */
  readonly minQuantizers: number;
  readonly maxQuantizers: number;
  /** Most frames that a packet may gather. */
  readonly maxFramesPerPacket: number;
  /** Of the model: duration of a frame, and bits of a code before any coding. */
  readonly frameMs: number;
  readonly bitsPerCode: number;
}

/**
 * One thing that the controller is told. All times are milliseconds: `nowMs` of a clock of the sender's that never jumps,
 * `arrivalMs` of one of the receiver's. Their difference is never used, only its changes.
 */
export type Feedback =
  /** A packet was given to the network. */
  | {
      readonly kind: 'sent';
      readonly nowMs: number;
      /** Index of the frame after its last. */
      readonly endFrameIndex: number;
      /** All that it costs on the wire. */
      readonly wireBytes: number;
      /** Bytes of its codes alone, and how many codes its shape asked for: what entropy coding and fewer codes save. */
      readonly codes?: { readonly bytes: number; readonly asked: number };
    }
  /** The receiver has all frames before `nextFrameIndex`. */
  | {
      readonly kind: 'ack';
      readonly nowMs: number;
      readonly nextFrameIndex: number;
      /** Sound that waits at the receiver to be played. */
      readonly bufferMs: number;
      /** When the last of these frames arrived; without it the delay of the way back counts too. */
      readonly arrivalMs?: number;
      /** For how long the receiver knew that before it said so. */
      readonly heldMs?: number;
    }
  /** Time passes. */
  | {
      readonly kind: 'tick';
      readonly nowMs: number;
      /** Bytes that the operating system has not taken from the process. */
      readonly bufferedBytes: number;
    };

/** States of a controller; see `CONTROL_TRANSITIONS`. */
export const CONTROL_STATES = ['startup', 'draining', 'steady', 'probing', 'backing_off', 'stalled'] as const;
/** One of {@link CONTROL_STATES}. */
export type ControlStateName = (typeof CONTROL_STATES)[number];

/** What a feedback amounts to; see `CONTROL_TRANSITIONS`. */
export const CONTROL_EVENTS = ['clear', 'level', 'overuse', 'rested', 'starved'] as const;
/** One of {@link CONTROL_EVENTS}. */
export type ControlEvent = (typeof CONTROL_EVENTS)[number];

/** What holds from the next packet on, and why. */
export interface Decision extends PacketShape {
  /** Bytes that may be under way: what is more waits where it can still be dropped. */
  readonly maxInFlightBytes: number;
  /** Packets that have waited for longer are dropped. */
  readonly maxAgeMs: number;
  readonly reasons: DecisionReasons;
}

/** What a decision was made from. */
export interface DecisionReasons {
  readonly state: ControlStateName;
  /** Of the feedback that led to it. */
  readonly event: ControlEvent | undefined;
  /** Wire bits a second that are aimed at. */
  readonly targetBitsPerSecond: number;
  /** What the link was last seen to carry; undefined while it was never full. */
  readonly capacityBitsPerSecond: number | undefined;
  /** How long the last packet waited behind others, in the network. */
  readonly queueingMs: number;
}

/** A packet that is under way. */
export interface SentPacket {
  readonly endFrameIndex: number;
  readonly wireBytes: number;
  readonly sentMs: number;
}

/** How long a packet took, clock offset included. */
export interface DelaySample {
  readonly sentMs: number;
  readonly delayMs: number;
  /** Until it was acknowledged, less what the receiver kept that to itself for. */
  readonly roundTripMs: number;
  readonly wireBytes: number;
  readonly atMs: number;
}

/** All that a controller knows: plain data, to be stored, compared and replayed. */
export interface ControlState {
  readonly name: ControlStateName;
  /** When the state was entered. */
  readonly sinceMs: number;
  readonly targetBitsPerSecond: number;
  /** What a code that is asked for takes, as seen in the packets so far. */
  readonly bitsPerCode: number;
  /** What the link carried when it was last full; undefined before. */
  readonly capacityBitsPerSecond: number | undefined;
  readonly inFlight: readonly SentPacket[];
  /** Of the last packets that arrived. */
  readonly delaySamples: readonly DelaySample[];
  /** When a packet last came as far behind the one before as it was sent: its delay was no queue. */
  readonly undisturbedMs: number | undefined;
  /** There and back, of a packet of no bytes, at the least lately. */
  readonly leastRoundTripMs: number | undefined;
  /** The last packet that arrived. */
  readonly lastArrival:
    { readonly sentMs: number; readonly wireBytes: number; readonly arrivalMs: number } | undefined;
  readonly lastAckMs: number | undefined;
  readonly lastTickMs: number | undefined;
  readonly lastBackOffMs: number | undefined;
  readonly queueingMs: number;
  readonly slopeMsPerSecond: number;
  /** Of the receiver, as it said last. */
  readonly bufferMs: number;
}
