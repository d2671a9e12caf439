import { readFileSync } from 'node:fs';

import {
  CONTAINER_LIMITS,
  ContainerReader,
  ContainerWriter,
  decodeFrame,
  encodeFrame,
  ERROR_CODES,
  FRAME_TYPES,
  GAP_REASONS,
  packCodes,
  placeAudio,
  PROTOCOL_LIMITS,
  PROTOCOL_VERSION,
  readVarint,
  SESSION_EVENTS,
  SESSION_STATES,
  sessionTransition,
  SUBPROTOCOL,
  unpackCodes,
  varintLength,
  writeVarint,
  type ContainerHeader,
  type Frame,
  type GapReason,
  type SessionState,
} from '../../../protocol/index.js';
import { clientMessageSchema, openSchema } from '../../../protocol/clientMessages.js';
import {
  modelSummarySchema,
  serverMessageSchema,
  sessionLimitsSchema,
  sessionTotalsSchema,
} from '../../../protocol/serverMessages.js';
import { errorOf } from './errorsOf.js';

/** Tests run in dist/test/unit/protocol. */
const readme = readFileSync(new URL('../../../../protocol/README.md', import.meta.url), 'utf8');

function section(heading: string): string {
  const start = readme.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`The README has no heading "${heading}"`);
  const level = heading.indexOf(' ');
  const rest = readme.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'));
  return end < 0 ? rest : rest.slice(0, end);
}

/** The body rows of the table in `text` whose first column is headed `firstColumn`. */
function table(text: string, firstColumn: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex(
    (line, at) => line.startsWith(`| ${firstColumn} |`) && lines[at + 1]?.startsWith('|---'),
  );
  if (start < 0) throw new Error(`No table "${firstColumn}"`);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
    );
  }
  return rows;
}

function fence(name: string): string {
  const match = new RegExp('```\\w+ test-vectors=' + name + '\\n([^]*?)```').exec(readme);
  if (!match?.[1]) throw new Error(`The README has no vectors "${name}"`);
  return match[1];
}

function fromHex(hex: string): Uint8Array {
  const digits = hex.replace(/#.*$/gm, '').replace(/\s/g, '');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const namesOf = (rows: string[][]) => rows.map(([name = '']) => name.replace(/[`?]/g, ''));

describe('the tables of the specification', () => {
  test('list every error as the code does', () => {
    const rows = table(section('## 9. Errors and close codes'), 'code');
    expect(rows).toEqual(
      Object.entries(ERROR_CODES).map(([code, { closeCode, retryable, advice }]) => [
        code,
        closeCode === null ? '-' : String(closeCode),
        retryable ? 'yes' : 'no',
        advice,
      ]),
    );
    const closeCodes = Object.values(ERROR_CODES).flatMap(({ closeCode }) => closeCode ?? []);
    expect(new Set(closeCodes).size).toBe(closeCodes.length);
    expect(closeCodes.every((code) => code >= 4000 && code < 5000)).toBe(true);
  });

  test('list every state and event as the code does', () => {
    const text = section('## 3. A session from start to end');
    expect(text).toContain(`| state | ${SESSION_EVENTS.join(' | ')} |`);
    const rows = table(text, 'state');
    expect(rows.map(([state]) => state)).toEqual(SESSION_STATES);
    for (const [state, ...cells] of rows) {
      expect(cells).toEqual(SESSION_EVENTS.map((event) => sessionTransition(state as SessionState, event)));
    }
  });

  test('draw every transition of the session, and no other', () => {
    const drawn = [...readme.matchAll(/^ {4}(\w+) --> (\w+): (.*)$/gm)].flatMap(([, from, to, events]) =>
      events!.split(', ').map((event) => `${from} ${event} ${to}`),
    );
    const real = SESSION_STATES.flatMap((state) =>
      SESSION_EVENTS.filter((event) => event !== 'disconnected' || state === 'closing')
        .map((event) => `${state} ${event} ${sessionTransition(state, event)}`)
        .filter((line) => !/ (ignored|refused)$/.test(line)),
    );
    expect(drawn.sort()).toEqual(real.sort());
  });

  test('list every frame type and gap reason', () => {
    const text = section('## 6. Binary frames');
    expect(table(text, 'type').map(([type, name]) => [parseInt(type!, 16), name!.toLowerCase()])).toEqual(
      Object.entries(FRAME_TYPES).map(([name, type]) => [type, name]),
    );
    expect(table(text, 'reason').map(([byte, name]) => [name, Number(byte)])).toEqual(
      Object.entries(GAP_REASONS),
    );
  });

  test('list every message and the fields of open, opened, limits and totals', () => {
    const text = section('## 5. Control messages');
    const [client = '', server = ''] = text.split('### Server to client');
    const named = (part: string) =>
      [...part.matchAll(/(?:^|\. )\*\*`(\w+)`\*\*/gm)].map(([, name]) => name).sort();
    const typesOf = (schema: {
      def: { options: readonly { shape: { type: { def: { values: unknown[] } } } }[] };
    }) => schema.def.options.map((option) => String(option.shape.type.def.values[0])).sort();
    expect(named(client)).toEqual(typesOf(clientMessageSchema));
    expect(named(server)).toEqual(typesOf(serverMessageSchema));

    const openFields = namesOf(table(client, 'field')).map((name) => name.split('.')[0]);
    expect(['type', ...new Set(openFields)]).toEqual(Object.keys(openSchema.shape));
    const openedFields = namesOf(table(server, 'field')).flatMap((name) => name.split(', '));
    const opened = serverMessageSchema.def.options[0].shape;
    expect(['type', ...new Set(openedFields.map((name) => name.split('.')[0]))]).toEqual(Object.keys(opened));
    expect(openedFields.filter((name) => name.startsWith('model.')).map((name) => name.slice(6))).toEqual(
      Object.keys(modelSummarySchema.shape),
    );
    const totals = server.slice(server.indexOf('`totals` are figures'));
    expect(namesOf(table(totals, 'field'))).toEqual(Object.keys(sessionTotalsSchema.shape));
    const limits = table(section('## 10. Limits'), 'field');
    expect(namesOf(limits)).toEqual(Object.keys(sessionLimitsSchema.shape));
  });

  test('state the bounds that the code keeps', () => {
    const thousands = (value: number) => value.toLocaleString('en-US');
    const limits = section('## 10. Limits').replace(/\s+/g, ' ');
    expect(limits).toContain(`at most ${thousands(PROTOCOL_LIMITS.maxMessageBytes)} bytes`);
    expect(limits).toContain(`at most ${thousands(PROTOCOL_LIMITS.maxStringLength)} characters`);
    expect(limits).toContain(
      `${thousands(PROTOCOL_LIMITS.minSampleRate)} to ${thousands(PROTOCOL_LIMITS.maxSampleRate)} Hz`,
    );
    expect(limits).toContain(`channels 1 to ${PROTOCOL_LIMITS.maxChannels}`);
    const container = section('## 11. The container `.tsr`').replace(/\s+/g, ' ');
    expect(container).toContain(`at most ${thousands(CONTAINER_LIMITS.maxHeaderBodyBytes)} for HEADER`);
    expect(container).toContain(`at most ${thousands(CONTAINER_LIMITS.maxBodyBytes)} for the others`);
    expect(container).toContain(`1 to ${thousands(CONTAINER_LIMITS.maxQuantizers)}: the most`);
    expect(container).toContain(`has at most ${thousands(CONTAINER_LIMITS.maxFramesPerPacket)} frames`);
    expect(container).toContain(`how many, at most ${thousands(CONTAINER_LIMITS.maxIndexEntries)};`);
    expect(container).toContain(`| at most ${CONTAINER_LIMITS.maxMetadataEntries} |`);
    expect(SUBPROTOCOL).toBe(`tessera.v${PROTOCOL_VERSION}`);
    expect(readme).toContain(`subprotocol \`${SUBPROTOCOL}\``);
  });
});

describe('the test vectors of the specification', () => {
  test('for varints', () => {
    const text = section('### Varints');
    const rows = table(text, 'value');
    expect(rows.length).toBeGreaterThan(5);
    for (const [value, hex] of rows) {
      const bytes = fromHex(hex!);
      expect(readVarint(bytes, 0, 'bad_frame')).toEqual({ value: Number(value), nextOffset: bytes.length });
      const written = new Uint8Array(varintLength(Number(value)));
      writeVarint(written, 0, Number(value));
      expect(written).toEqual(bytes);
    }
    const refused = [...text.slice(text.indexOf('Refused')).matchAll(/`([0-9a-f ]+)`/g)];
    expect(refused).toHaveLength(4);
    for (const [, hex] of refused) {
      expect(errorOf(() => readVarint(fromHex(hex!), 0, 'bad_frame')).code).toBe('bad_frame');
    }
  });

  test('for packed codes', () => {
    const rows = table(section('### Packed codes (vectors)'), 'codebook size');
    expect(rows.length).toBeGreaterThan(4);
    for (const [size, list, hex] of rows) {
      const codes = Uint16Array.from(list!.split(', '), Number);
      expect(packCodes(codes, Number(size))).toEqual(fromHex(hex!));
      expect(unpackCodes(fromHex(hex!), codes.length, Number(size))).toEqual(codes);
    }
  });

  const context = { codebookSize: 1024, maxQuantizers: 12, maxFramesPerPacket: 50, maxFrameBytes: 4096 };
  interface FrameVector {
    hex: string;
    frame: Record<string, unknown> & { codes?: number[]; payload?: string; segments?: string[] };
  }

  test('for binary frames', () => {
    const vectors = JSON.parse(fence('frames')) as FrameVector[];
    expect(new Set(vectors.map(({ frame }) => frame.kind))).toEqual(new Set(Object.keys(FRAME_TYPES)));
    for (const { hex, frame } of vectors) {
      const expected = {
        ...frame,
        ...(frame.codes ? { codes: Uint16Array.from(frame.codes) } : {}),
        ...(frame.payload ? { payload: fromHex(frame.payload) } : {}),
        ...(frame.segments ? { segments: frame.segments.map(fromHex) } : {}),
      } as unknown as Frame;
      expect(decodeFrame(fromHex(hex), context)).toEqual(expected);
      expect(encodeFrame(expected, context)).toEqual(fromHex(hex));
    }
  });

  test('for refused frames', () => {
    const vectors = JSON.parse(fence('refused-frames')) as { hex: string; code: string; why: string }[];
    for (const { hex, code, why } of vectors) {
      expect([why, errorOf(() => decodeFrame(fromHex(hex), context)).code]).toEqual([why, code]);
    }
  });

  test('for a whole file, read and written', () => {
    type RecordVector = { kind: string; firstFrameIndex: number; frameCount: number } & (
      { kind: 'tokens'; quantizers: number; codes: number[] } | { kind: 'gap'; reason: GapReason }
    );
    const contents = JSON.parse(fence('container-contents')) as {
      header: ContainerHeader;
      records: RecordVector[];
      index: unknown;
      sampleCount: number;
    };
    const bytes = fromHex(fence('container'));
    const reader = new ContainerReader();
    reader.push(bytes);
    const writer = new ContainerWriter(contents.header);
    const written = [...writer.begin()];
    expect(reader.read()).toMatchObject({ kind: 'header', header: contents.header });
    for (const record of contents.records) {
      if (record.kind === 'tokens') {
        const { kind, codes, ...rest } = record;
        const block = { ...rest, codes: Uint16Array.from(codes) };
        expect(reader.read()).toMatchObject({ kind, block });
        written.push(...writer.tokens(block));
      } else {
        const { kind, ...gap } = record;
        expect(reader.read()).toMatchObject({ kind, gap });
        written.push(...writer.gap(gap));
      }
    }
    written.push(...writer.finish({ sampleCount: contents.sampleCount }));
    expect(reader.read()).toMatchObject({ kind: 'index', entries: contents.index });
    expect(reader.read()).toMatchObject({ kind: 'end', trailer: { sampleCount: contents.sampleCount } });
    expect(reader.end()).toBeUndefined();
    expect(Uint8Array.from(written)).toEqual(bytes);
  });
});

test('audio is placed by its byte offset: in order, sent again, or after a loss', () => {
  const payload = Uint8Array.of(1, 2, 3, 4);
  const place = (byteOffset: number, next: number) =>
    placeAudio({ kind: 'audio', byteOffset, payload }, next);
  expect(place(100, 100)).toEqual({ lostBytes: 0, payload });
  expect(place(98, 100)).toEqual({ lostBytes: 0, payload: Uint8Array.of(3, 4) });
  expect(place(90, 100)).toEqual({ lostBytes: 0, payload: new Uint8Array() });
  expect(place(104, 100)).toEqual({ lostBytes: 4, payload });
});
