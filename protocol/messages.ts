import type * as z from 'zod/mini';

import { clientMessageSchema, type ClientMessage } from './clientMessages.js';
import { TesseraError } from './errors.js';
import { PROTOCOL_LIMITS } from './limits.js';
import { serverMessageSchema, type ServerMessage, type ServerMessageOf } from './serverMessages.js';

/**
 * Reads a control message of a client. Unknown fields are dropped.
 * @throws TesseraError `bad_message` that names the field, `frame_too_large` above 64 KiB.
 */
export function parseClientMessage(json: string): ClientMessage {
  return parse(clientMessageSchema, json);
}

/**
 * Reads a control message of a server. Unknown fields are dropped.
 * @throws TesseraError `bad_message` that names the field, `frame_too_large` above 64 KiB.
 */
export function parseServerMessage(json: string): ServerMessage {
  return parse(serverMessageSchema, json);
}

/** The JSON text of a message. */
export function encodeMessage(message: ClientMessage | ServerMessage): string {
  return JSON.stringify(message);
}

/** The `error` message that tells a client of `error`. */
export function errorMessage(error: TesseraError, retryAfterMs?: number): ServerMessageOf<'error'> {
  return {
    type: 'error',
    code: error.code,
    message: error.message.slice(0, PROTOCOL_LIMITS.maxStringLength),
    retryable: error.retryable,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function parse<Schema extends z.ZodMiniType>(schema: Schema, json: string): z.infer<Schema> {
  // UTF-16 units never outnumber UTF-8 bytes: this bounds the work, the socket bounds the bytes.
  if (json.length > PROTOCOL_LIMITS.maxMessageBytes) {
    throw new TesseraError(
      'frame_too_large',
      `A control message has at most ${PROTOCOL_LIMITS.maxMessageBytes} bytes; this one has ${json.length} characters`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new TesseraError('bad_message', 'The control message is not JSON', { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new TesseraError(
    'bad_message',
    issue ? describeIssue(issue, value) : 'The control message is malformed',
  );
}

/** One sentence for the first thing that is wrong: zod/mini brings no texts of its own. */
function describeIssue(issue: z.core.$ZodIssue, message: unknown): string {
  const field = issue.path.join('.');
  const subject = field === '' ? 'The control message' : `Field "${field}"`;
  const given = shorten(valueAt(message, issue.path));
  if (given === 'undefined' && field !== '') return `${subject} is missing`;
  switch (issue.code) {
    case 'invalid_union':
      return `Unknown message type ${shorten(valueAt(message, ['type']))}`;
    case 'invalid_type':
      return `${subject} must be ${article(issue.expected)}, not ${given}`;
    case 'invalid_value':
      return `${subject} must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}, not ${given}`;
    case 'too_small':
      return `${subject} must be ${issue.inclusive ? 'at least' : 'above'} ${issue.minimum}, not ${given}`;
    case 'too_big':
      return issue.origin === 'string'
        ? `${subject} must have at most ${issue.maximum} characters`
        : `${subject} must be ${issue.inclusive ? 'at most' : 'below'} ${issue.maximum}, not ${given}`;
    case 'invalid_format':
      return 'pattern' in issue
        ? `${subject} must match ${issue.pattern}, not ${given}`
        : `${subject} is malformed`;
    default:
      return `${subject} is malformed`;
  }
}

function article(type: string): string {
  if (type === 'int') return 'an integer';
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

function valueAt(message: unknown, path: readonly PropertyKey[]): unknown {
  let value = message;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function shorten(value: unknown): string {
  // Not written out: nested deep enough, JSON.stringify would exhaust the stack.
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  const json = value === undefined ? 'undefined' : JSON.stringify(value);
  return json.length > 60 ? `${json.slice(0, 60)}…` : json;
}
