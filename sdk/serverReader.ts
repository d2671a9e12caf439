import { TesseraError } from '../protocol/errors.js';
import type { ServerMessage } from '../protocol/serverMessages.js';

type Shape = { readonly [field: string]: 'number' | 'string' | 'boolean' | Shape };

const TOTALS: Shape = {
  totals: {
    inputBytes: 'number',
    samples: 'number',
    frames: 'number',
    gapFrames: 'number',
    outputBytes: 'number',
  },
};
const BITRATE: Shape = {
  minQuantizers: 'number',
  maxQuantizers: 'number',
  quantizers: 'number',
  bitsPerSecond: 'number',
};

/** The fields of each message that must be there. */
const MESSAGES: Readonly<Record<ServerMessage['type'], Shape>> = {
  opened: {
    version: 'number',
    sessionId: 'string',
    resumeToken: 'string',
    model: {
      name: 'string',
      version: 'string',
      digest: 'string',
      sampleRate: 'number',
      hop: 'number',
      frameRate: 'number',
      quantizers: 'number',
      codebookSize: 'number',
      delaySamples: 'number',
      decoderDelaySamples: 'number',
    },
    provider: 'string',
    bitrate: BITRATE,
    framesPerPacket: 'number',
    limits: {
      maxMessageBytes: 'number',
      maxFrameBytes: 'number',
      maxFramesPerPacket: 'number',
      maxInputBufferBytes: 'number',
      maxInputGapMs: 'number',
      idleTimeoutMs: 'number',
      resumeWindowMs: 'number',
    },
  },
  bitrate: { ...BITRATE, fromFrameIndex: 'number' },
  ack_timing: { frameIndex: 'number', atMs: 'number' },
  flushed: TOTALS,
  error: { code: 'string', message: 'string', retryable: 'boolean' },
  closing: { code: 'string', message: 'string', deadlineMs: 'number' },
  closed: TOTALS,
};

/**
 * Reads a message of a server. It checks types and presence and leaves ranges to the server: the whole schemas of
 * `parseServerMessage` would be a third of the client's size.
 * @throws TesseraError `bad_message` that names the field.
 */
export function readServerMessage(json: string): ServerMessage {
  let message: unknown;
  try {
    message = JSON.parse(json);
  } catch (cause) {
    throw new TesseraError('bad_message', 'The server sent a control message that is not JSON', { cause });
  }
  const type = isRecord(message) ? message['type'] : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(MESSAGES, type)) {
    throw new TesseraError('bad_message', `The server sent a message of unknown type ${String(type)}`);
  }
  requireShape(message, MESSAGES[type as ServerMessage['type']], type);
  return message as ServerMessage;
}

function requireShape(value: unknown, shape: Shape, path: string): void {
  for (const [field, expected] of Object.entries(shape)) {
    const given = isRecord(value) ? value[field] : undefined;
    if (typeof expected === 'object') requireShape(given, expected, `${path}.${field}`);
    else if (typeof given !== expected) {
      throw new TesseraError('bad_message', `The server's "${path}.${field}" is not a ${expected}`);
    }
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
