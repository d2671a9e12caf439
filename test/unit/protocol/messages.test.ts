import {
  bitsPerSecond,
  checkOpenOptions,
  encodeMessage,
  errorMessage,
  ERROR_CODES,
  parseClientMessage,
  parseServerMessage,
  PROTOCOL_LIMITS,
  resolveBitrate,
  selectSubprotocol,
  TesseraError,
  type BitrateRange,
  type ClientMessage,
  type ErrorCode,
  type OpenMessage,
  type ServerMessage,
} from '../../../protocol/index.js';
import { errorOf, valueOrTesseraError } from './errorsOf.js';
import { SeededRandom } from './random.js';

const open: OpenMessage = {
  type: 'open',
  version: 1,
  mode: 'encode',
  input: { format: 'pcm_s16le', sampleRate: 16_000 },
  output: { format: 'tokens' },
};

const model = {
  name: 'tessera-24k',
  version: '1.0.0',
  digest: 'ab'.repeat(32),
  sampleRate: 24_000,
  hop: 480,
  frameRate: 50,
  quantizers: 12,
  codebookSize: 1024,
  delaySamples: 840,
  decoderDelaySamples: 360,
};

const totals = { inputBytes: 96_000, samples: 48_000, frames: 101, gapFrames: 0, outputBytes: 1212 };

const clientMessages: ClientMessage[] = [
  open,
  {
    ...open,
    input: { format: 'pcm_f32le', sampleRate: 48_000, channels: 2 },
    output: { format: 'tokens', framesPerPacket: 4 },
    bitrate: { minBitsPerSecond: 1000, maxBitsPerSecond: 6000 },
    resume: { token: 'secret', nextFrameIndex: 17 },
  },
  { type: 'bitrate', bitrate: { maxQuantizers: 3 } },
  { type: 'ack', nextFrameIndex: 50, bufferMs: 62.5, arrivalMs: 1020.25 },
  { type: 'flush' },
  { type: 'close' },
];

const serverMessages: ServerMessage[] = [
  {
    type: 'opened',
    version: 1,
    sessionId: 's-1',
    resumeToken: 'secret',
    resumed: { inputByteOffset: 640, nextFrameIndex: 17 },
    model,
    provider: 'cpu',
    bitrate: { minQuantizers: 1, maxQuantizers: 6, quantizers: 6, bitsPerSecond: 3000 },
    framesPerPacket: 1,
    limits: {
      maxMessageBytes: 65_536,
      maxFrameBytes: 262_144,
      maxFramesPerPacket: 50,
      maxInputBufferBytes: 1_000_000,
      maxOutputBufferBytes: 1_000_000,
      maxInputGapMs: 10_000,
      idleTimeoutMs: 30_000,
      resumeWindowMs: 0,
    },
  },
  {
    type: 'bitrate',
    minQuantizers: 1,
    maxQuantizers: 3,
    quantizers: 3,
    bitsPerSecond: 1500,
    fromFrameIndex: 9,
  },
  { type: 'flushed', totals },
  { type: 'error', code: 'at_capacity', message: 'Try later', retryable: true, retryAfterMs: 2000 },
  { type: 'closing', code: 'going_away', message: 'The server restarts', deadlineMs: 5000 },
  { type: 'closed', totals },
];

describe('control messages', () => {
  test.each(clientMessages)('of the client come back as sent: $type', (message) => {
    expect(parseClientMessage(encodeMessage(message))).toEqual(message);
  });

  test.each(serverMessages)('of the server come back as sent: $type', (message) => {
    expect(parseServerMessage(encodeMessage(message))).toEqual(message);
  });

  test('lose the fields that this version does not know', () => {
    const later = { ...open, shiny: true, input: { ...open.input, lens: 1 } };
    expect(parseClientMessage(JSON.stringify(later))).toEqual(open);
  });

  test('of a version to come still parse, so that the version can be refused by name', () => {
    expect(parseClientMessage(JSON.stringify({ ...open, version: 7 }))).toMatchObject({ version: 7 });
  });

  test('keep error codes of later versions', () => {
    const message = { type: 'error', code: 'not_invented_yet', message: 'x', retryable: true };
    expect(parseServerMessage(JSON.stringify(message))).toEqual(message);
  });

  test.each<[string, unknown, string]>([
    ['text', 'open', 'The control message must be an object, not "open"'],
    ['an array', [1], 'The control message must be an object, not an array'],
    ['null', null, 'The control message must be an object, not null'],
    ['no type', {}, 'Field "type" is missing'],
    ['an unknown type', { type: 'sing' }, 'Unknown message type "sing"'],
    ['a type of the other side', { type: 'opened' }, 'Unknown message type "opened"'],
    ['no mode', { ...open, mode: undefined }, 'Field "mode" is missing'],
    [
      'an unknown mode',
      { ...open, mode: 'sing' },
      'Field "mode" must be one of "encode", "decode", "resynth", "subscribe", "relay", not "sing"',
    ],
    ['a version of text', { ...open, version: '1' }, 'Field "version" must be a number, not "1"'],
    ['a fractional version', { ...open, version: 1.5 }, 'Field "version" must be an integer, not 1.5'],
    ['no input', { ...open, input: null }, 'Field "input" must be an object, not null'],
    [
      'a slow sample rate',
      { ...open, input: { format: 'pcm_s16le', sampleRate: 7999 } },
      'Field "input.sampleRate" must be at least 8000, not 7999',
    ],
    [
      'a fast sample rate',
      { ...open, input: { format: 'pcm_s16le', sampleRate: 192_001 } },
      'Field "input.sampleRate" must be at most 192000, not 192001',
    ],
    [
      'no channels',
      { ...open, input: { format: 'pcm_s16le', sampleRate: 8000, channels: 0 } },
      'Field "input.channels" must be at least 1, not 0',
    ],
    [
      'no frames in a packet',
      { ...open, output: { format: 'tokens', framesPerPacket: 0 } },
      'Field "output.framesPerPacket" must be above 0, not 0',
    ],
    ['a bitrate of nothing', { type: 'bitrate' }, 'Field "bitrate" is missing'],
    [
      'a negative index',
      { type: 'ack', nextFrameIndex: -1, bufferMs: 0 },
      'Field "nextFrameIndex" must be at least 0, not -1',
    ],
    [
      'a token without end',
      { ...open, resume: { token: 'x'.repeat(5000), nextFrameIndex: 0 } },
      'Field "resume.token" must have at most 4096 characters',
    ],
  ])('with %s are refused with a sentence that names the field', (_what, message, sentence) => {
    const error = errorOf(() => parseClientMessage(JSON.stringify(message)));
    expect(error.code).toBe('bad_message');
    expect(error.message).toBe(sentence);
  });

  test('that are nested without end are refused like others', () => {
    const depth = PROTOCOL_LIMITS.maxMessageBytes / 2 - 100;
    const nested = '['.repeat(depth) + ']'.repeat(depth);
    for (const json of [nested, `{"type":${nested}}`, `{"type":"bitrate","bitrate":${nested}}`]) {
      expect(errorOf(() => parseClientMessage(json)).code).toBe('bad_message');
    }
  });

  test('that are not JSON or too long are refused', () => {
    for (const json of ['', '{', '{"type":"flush"', 'flush', '\u0000']) {
      expect(errorOf(() => parseClientMessage(json)).code).toBe('bad_message');
    }
    const padded = JSON.stringify({ type: 'flush', pad: 'x'.repeat(PROTOCOL_LIMITS.maxMessageBytes) });
    expect(errorOf(() => parseClientMessage(padded)).code).toBe('frame_too_large');
  });

  test('that try to reach the prototype do not', () => {
    const message = parseClientMessage('{"type":"flush","__proto__":{"polluted":true},"constructor":1}');
    expect(message).toEqual({ type: 'flush' });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('tell of every error with its code and whether to try again', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      const message = errorMessage(new TesseraError(code, 'What to do'));
      expect(parseServerMessage(encodeMessage(message))).toEqual({
        type: 'error',
        code,
        message: 'What to do',
        retryable: ERROR_CODES[code].retryable,
      });
    }
    expect(errorMessage(new TesseraError('at_capacity', 'Full'), 1500)).toMatchObject({ retryAfterMs: 1500 });
    const long = errorMessage(new TesseraError('internal', 'x'.repeat(10_000)));
    expect(() => parseServerMessage(encodeMessage(long))).not.toThrow();
  });

  test('fuzzed: altered JSON gives a message or a TesseraError', () => {
    const random = new SeededRandom(5);
    const alphabet = '{}[]",:0123456789.-eE truefalsn\\u"typeopen';
    let valid = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const client = random.below(2) === 0;
      const json = encodeMessage(
        random.pick<ClientMessage | ServerMessage>(client ? clientMessages : serverMessages),
      );
      const at = random.below(json.length);
      const altered =
        json.slice(0, at) + random.pick(Array.from(alphabet)) + json.slice(at + random.below(3));
      const result = valueOrTesseraError(() => (client ? parseClientMessage : parseServerMessage)(altered));
      if (result instanceof TesseraError) expect(result.code).toBe('bad_message');
      else valid += 1;
    }
    expect(valid).toBeGreaterThan(100);
  });
});

test('a codebook costs its bits in every frame', () => {
  expect(bitsPerSecond(6, { sampleRate: 24_000, hop: 480, codebookSize: 1024 })).toBe(3000);
  expect(bitsPerSecond(1, { sampleRate: 24_000, hop: 320, codebookSize: 1000 })).toBe(750);
});

describe('the options of open', () => {
  const limits = { maxFramesPerPacket: 50 };
  const pcmIn = { format: 'pcm_s16le', sampleRate: 16_000 } as const;
  const pcmOut = { format: 'pcm_f32le' } as const;

  test.each<[string, Partial<OpenMessage>]>([
    ['raw audio to tokens', {}],
    ['a WAV file to tokens', { input: { format: 'wav' } }],
    ['any container to audio', { mode: 'resynth', input: { format: 'container' }, output: pcmOut }],
    ['tokens to audio', { mode: 'decode', input: { format: 'tokens' }, output: pcmOut }],
    ['as many frames a packet as allowed', { output: { format: 'tokens', framesPerPacket: 50 } }],
  ])('allow %s', (_what, change) => {
    expect(() => checkOpenOptions({ ...open, ...change }, limits)).not.toThrow();
  });

  test.each<[string, Partial<OpenMessage>, RegExp]>([
    ['decoding of audio', { mode: 'decode', input: pcmIn, output: pcmOut }, /takes "tokens" as input.format/],
    ['decoding to tokens', { mode: 'decode', input: { format: 'tokens' } }, /gives audio/],
    [
      'decoding at a bitrate',
      { mode: 'decode', input: { format: 'tokens' }, output: pcmOut, bitrate: {} },
      /takes no bitrate/,
    ],
    ['encoding of tokens', { input: { format: 'tokens' } }, /takes audio as input.format/],
    ['encoding to audio', { output: pcmOut }, /gives "tokens"/],
    [
      'resynthesis of tokens',
      { mode: 'resynth', input: { format: 'tokens' }, output: pcmOut },
      /use mode decode/,
    ],
    ['resynthesis to tokens', { mode: 'resynth' }, /gives audio/],
    ['raw audio of an unknown rate', { input: { format: 'pcm_f32le' } }, /needs input.sampleRate/],
    ['a rate beside a WAV file', { input: { format: 'wav', sampleRate: 8000 } }, /leave them out/],
    ['channels beside a container', { input: { format: 'container', channels: 1 } }, /leave them out/],
    ['too many frames a packet', { output: { format: 'tokens', framesPerPacket: 51 } }, /limit of 50/],
  ])('refuse %s', (_what, change, sentence) => {
    const error = errorOf(() => checkOpenOptions({ ...open, ...change }, limits));
    expect(error.code).toBe('bad_options');
    expect(error.message).toMatch(sentence);
  });

  test('refuse another version by name before anything else', () => {
    const error = errorOf(() => checkOpenOptions({ ...open, version: 2, output: pcmOut }, limits));
    expect(error.code).toBe('unsupported_version');
  });

  test.each<[BitrateRange | undefined, number, number]>([
    [undefined, 1, 12],
    [{}, 1, 12],
    [{ maxQuantizers: 6 }, 1, 6],
    [{ minQuantizers: 3, maxQuantizers: 3 }, 3, 3],
    [{ minQuantizers: 2, maxQuantizers: 40 }, 2, 12],
    [{ maxBitsPerSecond: 3000 }, 1, 6],
    [{ maxBitsPerSecond: 3499 }, 1, 6],
    [{ minBitsPerSecond: 1001, maxBitsPerSecond: 1_000_000 }, 3, 12],
  ])('resolve the bitrate range %j', (range, minQuantizers, maxQuantizers) => {
    expect(resolveBitrate(range, model)).toEqual({ minQuantizers, maxQuantizers });
  });

  test.each<BitrateRange>([
    { minQuantizers: 13 },
    { minQuantizers: 4, maxQuantizers: 3 },
    { maxBitsPerSecond: 499 },
    { minBitsPerSecond: 2600, maxBitsPerSecond: 2900 },
    { maxQuantizers: 3, maxBitsPerSecond: 3000 },
  ])('refuse the bitrate range %j', (range) => {
    expect(errorOf(() => resolveBitrate(range, model)).code).toBe('bad_options');
  });
});

test('a handshake picks the subprotocol that both speak', () => {
  expect(selectSubprotocol(['tessera.v2', 'tessera.v1'])).toBe('tessera.v1');
  expect(selectSubprotocol(['tessera.v2'])).toBeUndefined();
  expect(selectSubprotocol([])).toBeUndefined();
});
