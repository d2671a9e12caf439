import * as z from 'zod/mini';

import { PROTOCOL_LIMITS } from './limits.js';
import { PCM_FORMATS } from './pcm.js';

/** An index or a count: an integer from 0 to 2^53 - 1. */
export const count = () => z.int().check(z.nonnegative());
/** An integer from 1 to 2^53 - 1. */
export const positive = () => z.int().check(z.positive());
/** A string of bounded length. */
export const text = () => z.string().check(z.maxLength(PROTOCOL_LIMITS.maxStringLength));

/** What a session does: audio to tokens, tokens to audio, or audio to audio through the tokens. */
export const MODES = ['encode', 'decode', 'resynth'] as const;
/**
 * All that a session may be: the codec's {@link MODES}, `subscribe`, which gets what another session publishes, and `relay`,
 * which publishes tokens that the client has made.
 */
export const SESSION_MODES = [...MODES, 'subscribe', 'relay'] as const;
/** `container` is anything that ffmpeg reads. */
export const INPUT_FORMATS = [...PCM_FORMATS, 'wav', 'container', 'tokens'] as const;
/** PCM comes out mono at the model's rate. */
export const OUTPUT_FORMATS = ['tokens', ...PCM_FORMATS] as const;

/** What names of published streams look like. */
export const STREAM_NAME = /^[A-Za-z0-9._-]{1,64}$/;
const streamName = () => z.string().check(z.regex(STREAM_NAME));

/** How each frame's number of codebooks is chosen: the most of the range, or no more than the sound needs. */
export const DEPTHS = ['fixed', 'adaptive'] as const;
/** Values of `bitrate.control`. */
export const RATE_CONTROLS = ['fixed', 'adaptive'] as const;

/** How many codebooks a frame may have: in codebooks or in bits of codes a second, not both. See `resolveBitrate`. */
export const bitrateRangeSchema = z.object({
  minQuantizers: z.optional(positive()),
  maxQuantizers: z.optional(positive()),
  minBitsPerSecond: z.optional(positive()),
  maxBitsPerSecond: z.optional(positive()),
  /** `fixed` when left out. */
  depth: z.optional(z.enum(DEPTHS)),
  /** Who chooses within the range: nobody, it is the maximum; or the link, as `ack` tells of it. */
  control: z.optional(z.enum(RATE_CONTROLS)),
});

/** How tokens travel: codes at their full width, or entropy-coded where the model has tables for it. */
export const CODINGS = ['packed', 'entropy'] as const;

const inputSchema = z.object({
  format: z.enum(INPUT_FORMATS),
  /** Hz; of raw PCM only, and needed there. */
  sampleRate: z.optional(
    z.int().check(z.minimum(PROTOCOL_LIMITS.minSampleRate), z.maximum(PROTOCOL_LIMITS.maxSampleRate)),
  ),
  /** Interleaved channels of raw PCM, 1 when left out; they are mixed down. */
  channels: z.optional(z.int().check(z.minimum(1), z.maximum(PROTOCOL_LIMITS.maxChannels))),
  /** Of tokens only; `packed` when left out. */
  coding: z.optional(z.enum(CODINGS)),
});

const outputSchema = z.object({
  format: z.enum(OUTPUT_FORMATS),
  /** Frames in one output packet, 1 when left out; a flush or a gap cuts a packet short. */
  framesPerPacket: z.optional(positive()),
  /** Of tokens only; `packed` when left out. */
  coding: z.optional(z.enum(CODINGS)),
  /** With `entropy` only: each packet stands alone and has as many frames as fit so many bits of payload. */
  bitsPerPacket: z.optional(positive()),
});

const resumeSchema = z.object({
  /** `resumeToken` of the session to go on with. */
  token: text(),
  /** First frame that the client has not received. */
  nextFrameIndex: count(),
});

/** The first message of a session. `checkOpenOptions` checks what no single field shows. */
export const openSchema = z.object({
  type: z.literal('open'),
  /** Any integer parses, so that a later version is answered with `unsupported_version` and not `bad_message`. */
  version: positive(),
  mode: z.enum(SESSION_MODES),
  /** Needed in all modes but `subscribe`. */
  input: z.optional(inputSchema),
  output: outputSchema,
  /** Modes `encode` and `relay`: others may subscribe to the tokens under this name. */
  publish: z.optional(z.object({ stream: streamName() })),
  /** Mode `subscribe`: the stream to get. */
  stream: z.optional(streamName()),
  bitrate: z.optional(bitrateRangeSchema),
  resume: z.optional(resumeSchema),
});

/** Every message a client sends, by `type`. */
export const clientMessageSchema = z.discriminatedUnion('type', [
  openSchema,
  z.object({ type: z.literal('bitrate'), bitrate: bitrateRangeSchema }),
  z.object({
    type: z.literal('ack'),
    /** All frames below this index have arrived or were marked as a gap. */
    nextFrameIndex: count(),
    /** Milliseconds of sound that wait at the receiver to be played. */
    bufferMs: z.number().check(z.nonnegative()),
    /** When the newest of these frames arrived, in milliseconds of a clock of the client's that never jumps. */
    arrivalMs: z.optional(z.number().check(z.nonnegative())),
    /** When this was said, by the same clock. */
    saidMs: z.optional(z.number().check(z.nonnegative())),
  }),
  z.object({ type: z.literal('flush') }),
  z.object({ type: z.literal('close') }),
]);

/** One of {@link MODES}. */
export type Mode = (typeof MODES)[number];
/** One of {@link SESSION_MODES}. */
export type SessionMode = (typeof SESSION_MODES)[number];
/** One of {@link DEPTHS}. */
export type Depth = (typeof DEPTHS)[number];
/** One of {@link INPUT_FORMATS}. */
export type InputFormat = (typeof INPUT_FORMATS)[number];
/** One of {@link OUTPUT_FORMATS}. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];
/** One of {@link CODINGS}. */
export type Coding = (typeof CODINGS)[number];
/** Bounds in quantizers or in bits of codes a second. */
export type BitrateRange = z.infer<typeof bitrateRangeSchema>;
/** The first message of a session. */
export type OpenMessage = z.infer<typeof openSchema>;
/** Any message of a client; `type` tells which. */
export type ClientMessage = z.infer<typeof clientMessageSchema>;
