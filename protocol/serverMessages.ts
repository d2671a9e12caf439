import * as z from 'zod/mini';

import { count, DEPTHS, positive, text } from './clientMessages.js';

/** What a client has to know of the model to read tokens and place samples in time; the rest is in its manifest. */
export const modelSummarySchema = z.object({
  name: text(),
  version: text(),
  /** Hex SHA-256 that names the model's files: equal digests give equal codes. */
  digest: text(),
  /** Hz, of every sample index of the protocol and of PCM output. */
  sampleRate: positive(),
  /** Samples a frame. */
  hop: positive(),
  /** Frames a second: sampleRate / hop. */
  frameRate: z.number().check(z.positive()),
  /** Codebooks; a frame has 1 to this many. */
  quantizers: positive(),
  /** Entries of each codebook. */
  codebookSize: positive(),
  /** Algorithmic delay from input to output in samples. */
  delaySamples: count(),
  /** The share of it between tokens and audio. */
  decoderDelaySamples: count(),
  /** Hex SHA-256 of the entropy tables; left out where the model has none. */
  entropyDigest: z.optional(text()),
});

/** The bitrate in force. */
const bitrateInForce = {
  minQuantizers: positive(),
  maxQuantizers: positive(),
  /** Codebooks of every frame from now on; with adaptive depth the most of any. */
  quantizers: positive(),
  /** Bits of codes a second at `quantizers`, without headers. */
  bitsPerSecond: z.number().check(z.positive()),
  /** `fixed` when left out. */
  depth: z.optional(z.enum(DEPTHS)),
};

/** The bounds that a server keeps; a client that stays within them is never refused for size. */
export const sessionLimitsSchema = z.object({
  /** UTF-8 bytes of a control message. */
  maxMessageBytes: positive(),
  /** Bytes of a binary frame with its header. */
  maxFrameBytes: positive(),
  maxFramesPerPacket: positive(),
  /** Input taken but not yet processed, beyond which the server stops reading from the socket. */
  maxInputBufferBytes: positive(),
  /** Output not yet taken by the network, beyond which frames become gaps. */
  maxOutputBufferBytes: positive(),
  /** Longest jump of the byte offset of raw PCM, in milliseconds of its sound. */
  maxInputGapMs: count(),
  /** A session from which nothing comes for so long ends with `idle_timeout`. */
  idleTimeoutMs: positive(),
  /** How long a session waits for its client after the connection broke; 0 when it does not. */
  resumeWindowMs: count(),
});

/** Figures of a session so far. */
export const sessionTotalsSchema = z.object({
  /** Input bytes taken (AUDIO payloads; TOKENS payloads with their headers). */
  inputBytes: count(),
  /** Length of the sound so far in samples at the model's rate: with audio input, of what was put in; else of what came out. */
  samples: count(),
  /** Frames so far, gaps included: the index that the next frame will have. */
  frames: count(),
  /** Those of them that were sent as gaps. */
  gapFrames: count(),
  /** Bytes of binary frames sent. */
  outputBytes: count(),
});

/** Every message a server sends, by `type`. */
export const serverMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('opened'),
    version: positive(),
    sessionId: text(),
    /** Opaque, secret: whoever has it can take the session over. */
    resumeToken: text(),
    /** Present when the session of the token was found and goes on. */
    resumed: z.optional(
      z.object({
        /** Input bytes that the server has: the client sends on from here. */
        inputByteOffset: count(),
        /** First frame that the server will send. */
        nextFrameIndex: count(),
      }),
    ),
    model: modelSummarySchema,
    /** Where inference runs: `cpu`, `cuda`, `webgpu`. */
    provider: text(),
    bitrate: z.object(bitrateInForce),
    framesPerPacket: positive(),
    /** Mode `subscribe`: index, in the publisher's stream, of the first frame that comes. */
    firstFrameIndex: z.optional(count()),
    limits: sessionLimitsSchema,
  }),
  /** The bitrate changes with frame `fromFrameIndex`; sent before that frame. */
  z.object({ type: z.literal('bitrate'), ...bitrateInForce, fromFrameIndex: count() }),
  /**
   * Under rate control: of a packet that ends before frame `frameIndex` or comes later, `ack` is best said at `atMs` of the clock of `saidMs`,
   * and a frame's duration later for each frame more; whole milliseconds. It counts until the next one.
   */
  z.object({ type: z.literal('ack_timing'), frameIndex: count(), atMs: z.number() }),
  /** Answers `flush`: all input before it has been processed and its output sent. */
  z.object({ type: z.literal('flushed'), totals: sessionTotalsSchema }),
  z.object({
    type: z.literal('error'),
    /** A code of the error table, or of a later version's: then `retryable` and the close code say what to do. */
    code: text(),
    message: text(),
    retryable: z.boolean(),
    retryAfterMs: z.optional(count()),
  }),
  /** The server ends the session by itself: it sends what it has and closes within the deadline. */
  z.object({ type: z.literal('closing'), code: text(), message: text(), deadlineMs: count() }),
  /** The last message of a session that ends in order. */
  z.object({ type: z.literal('closed'), totals: sessionTotalsSchema }),
]);

/** The model's figures in `opened`. */
export type ModelSummary = z.infer<typeof modelSummarySchema>;
/** `limits` of `opened`. */
export type SessionLimits = z.infer<typeof sessionLimitsSchema>;
/** `totals` of `flushed` and `closed`. */
export type SessionTotals = z.infer<typeof sessionTotalsSchema>;
/** Any message of a server; `type` tells which. */
export type ServerMessage = z.infer<typeof serverMessageSchema>;
/** The server message of one type: `ServerMessageOf<'opened'>`. */
export type ServerMessageOf<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;
