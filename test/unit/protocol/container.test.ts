import {
  ContainerReader,
  ContainerWriter,
  crc32c,
  TesseraError,
  type ContainerEvent,
  type ContainerHeader,
  type ContainerTrailer,
  type TokenBlock,
} from '../../../protocol/index.js';
import { encodeRecord, encodeTrailerBody, RECORD_TYPES } from '../../../protocol/container/format.js';
import { errorOf, valueOrTesseraError } from './errorsOf.js';
import { SeededRandom } from './random.js';
import { concat, header, sampleFile } from './sampleFile.js';

function drain(reader: ContainerReader): ContainerEvent[] {
  const events: ContainerEvent[] = [];
  for (let event = reader.read(); event; event = reader.read()) events.push(event);
  return events;
}

function readAll(bytes: Uint8Array): { events: ContainerEvent[]; warning: TesseraError | undefined } {
  const reader = new ContainerReader();
  reader.push(bytes);
  return { events: drain(reader), warning: reader.end() };
}

const blocksOf = (events: readonly ContainerEvent[]) =>
  events.flatMap((event) => (event.kind === 'tokens' ? [event.block] : []));
const gapsOf = (events: readonly ContainerEvent[]) =>
  events.flatMap((event) => (event.kind === 'gap' ? [event.gap] : []));

test('CRC-32C is that of its standard, in one piece or several', () => {
  const digits = new TextEncoder().encode('123456789');
  expect(crc32c(digits)).toBe(0xe3069283);
  expect(crc32c(digits.subarray(4), crc32c(digits.subarray(0, 4)))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
});

describe('a .tsr file', () => {
  const file = sampleFile(1, 40, 60, 1000);

  test('gives back its header, packets, gaps, index and totals', () => {
    const { events, warning } = readAll(file.bytes);
    expect(warning).toBeUndefined();
    expect(events[0]).toMatchObject({ kind: 'header', header, byteOffset: 9 });
    expect(blocksOf(events)).toEqual(file.blocks);
    expect(gapsOf(events)).toEqual(file.gaps);
    expect(events.at(-2)?.kind).toBe('index');
    expect(events.at(-1)).toMatchObject({
      kind: 'end',
      trailer: { frameCount: file.frameCount, recordCount: 40, sampleCount: 1000 },
    });
    expect(events.map((event) => event.byteOffset + event.byteLength)).toEqual([
      ...file.ends.slice(0, -1),
      file.bytes.length - 42,
      file.bytes.length,
    ]);
  });

  test('reads the same in pieces of any size, each record as soon as it is whole', () => {
    const whole = readAll(file.bytes).events;
    const random = new SeededRandom(2);
    for (const size of [1, 2, 7, 64, 1000, 0]) {
      const reader = new ContainerReader();
      const events: ContainerEvent[] = [];
      for (let at = 0; at < file.bytes.length;) {
        const length = size || 1 + random.below(300);
        reader.push(file.bytes.subarray(at, at + length));
        at += length;
        events.push(...drain(reader));
        expect(events.length).toBe(whole.filter((event) => event.byteOffset + event.byteLength <= at).length);
      }
      expect(events).toEqual(whole);
      expect(reader.end()).toBeUndefined();
    }
  });

  test('without any frame is whole', () => {
    const writer = new ContainerWriter(header);
    const { events, warning } = readAll(concat([writer.begin(), writer.finish()]));
    expect(events.map((event) => event.kind)).toEqual(['header', 'index', 'end']);
    expect(warning).toBeUndefined();
  });

  test('keeps the sample count of its start when the end says nothing', () => {
    const writer = new ContainerWriter({ ...header, sampleCount: 900 });
    const codes = new Uint16Array(3);
    const parts = [
      writer.begin(),
      writer.tokens({ firstFrameIndex: 0, frameCount: 3, quantizers: 1, codes }),
      writer.finish(),
    ];
    const { events } = readAll(concat(parts));
    expect(events[0]).toMatchObject({ header: { sampleCount: 900 } });
    expect(events.at(-1)).toMatchObject({ trailer: { sampleCount: 900 } });
  });

  test('costs 11 bytes besides the codes for a second of 50 frames', () => {
    const writer = new ContainerWriter(header);
    writer.begin();
    const codes = new Uint16Array(300);
    expect(writer.tokens({ firstFrameIndex: 0, frameCount: 50, quantizers: 6, codes })).toHaveLength(
      375 + 10,
    );
    expect(writer.tokens({ firstFrameIndex: 50, frameCount: 50, quantizers: 6, codes })).toHaveLength(
      375 + 10,
    );
    expect(writer.gap({ firstFrameIndex: 100, frameCount: 50, reason: 'input_lost' })).toHaveLength(9);
    expect(writer.tokens({ firstFrameIndex: 150, frameCount: 50, quantizers: 6, codes })).toHaveLength(
      375 + 11,
    );
  });
});

describe('a truncated .tsr file', () => {
  const file = sampleFile(3, 12, 20);

  test('gives all whole packets and then a warning, wherever it is cut', () => {
    for (let length = 0; length < file.bytes.length; length += 1) {
      const { events, warning } = readAll(file.bytes.subarray(0, length));
      expect(warning?.code).toBe('truncated_container');
      const wholePackets = file.ends.slice(1, -1).filter((end) => end <= length).length;
      expect(blocksOf(events).length + gapsOf(events).length).toBe(wholePackets);
      if (length < file.ends[0]!) expect(warning?.message).toContain('before its header was complete');
      else expect(warning?.message).toMatch(/after \d+ whole frames/);
    }
  });

  test('goes on when the rest comes after all', () => {
    const reader = new ContainerReader();
    reader.push(file.bytes.subarray(0, 500));
    const events = drain(reader);
    expect(reader.end()?.code).toBe('truncated_container');
    reader.push(file.bytes.subarray(500));
    events.push(...drain(reader));
    expect(blocksOf(events)).toEqual(file.blocks);
    expect(reader.end()).toBeUndefined();
  });
});

describe('a damaged .tsr file', () => {
  const file = sampleFile(4, 10, 12);

  test('is bad at every single flipped bit, after all packets before it', () => {
    for (let bit = 0; bit < file.bytes.length * 8; bit += 1) {
      const bytes = file.bytes.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const reader = new ContainerReader();
      reader.push(bytes);
      let packets = 0;
      const error = errorOf(() => {
        for (let event = reader.read(); event; event = reader.read()) {
          if (event.kind === 'tokens' || event.kind === 'gap') packets += 1;
        }
        throw reader.end() ?? new Error(`Bit ${bit} was not noticed`);
      });
      if (error.code !== 'bad_container') throw new Error(`Bit ${bit} is reported as ${error.code}`);
      const before = file.ends.slice(1, -1).filter((end) => end * 8 <= bit).length;
      if (packets !== before) throw new Error(`Bit ${bit}: ${packets} packets instead of ${before}`);
      expect(errorOf(() => reader.read())).toBe(error);
    }
  });

  test('names the packet and its place', () => {
    const bytes = file.bytes.slice();
    const place = file.ends[3]!;
    bytes[place + 5]! ^= 0x10;
    expect(errorOf(() => readAll(bytes)).message).toBe(
      `Packet 3 at byte ${place} is damaged: its checksum does not match`,
    );
  });

  test('is noticed when packets are missing, doubled or swapped, though each is sound', () => {
    const piece = (index: number) => file.bytes.subarray(file.ends[index - 1] ?? 0, file.ends[index]);
    const pieces = file.ends.map((_, index) => piece(index));
    const without = pieces.filter((_, index) => index !== 3);
    const doubled = [...pieces.slice(0, 4), ...pieces.slice(3)];
    const swapped = [...pieces.slice(0, 3), pieces[4]!, pieces[3]!, ...pieces.slice(5)];
    const lastGone = [...pieces.slice(0, -2), pieces.at(-1)!];
    for (const parts of [without, doubled, swapped, lastGone]) {
      expect(errorOf(() => readAll(concat(parts))).code).toBe('bad_container');
    }
  });

  test.each<[string, Partial<ContainerTrailer>]>([
    ['frame count', { frameCount: 1 }],
    ['record count', { recordCount: 11 }],
    ['index offset', { indexByteOffset: 9 }],
    ['checksum of the whole file', { checksum: 1 }],
    ['sample count', { sampleCount: file.frameCount * 480 + 1 }],
  ])('is noticed when the trailer is sound but its %s is wrong', (_what, change) => {
    const { events } = readAll(file.bytes);
    const end = events.find((event) => event.kind === 'end');
    const withTrailer = (trailer: ContainerTrailer) =>
      concat([file.bytes.subarray(0, -42), encodeRecord(RECORD_TYPES.trailer, encodeTrailerBody(trailer))]);
    expect(withTrailer(end!.trailer)).toEqual(file.bytes);
    const error = errorOf(() => readAll(withTrailer({ ...end!.trailer, ...change })));
    expect(error.code).toBe('bad_container');
    expect(error.message).toMatch(/^The trailer at byte \d+ is damaged/);
  });

  test('is refused when it goes on after its trailer, or is something else', () => {
    expect(errorOf(() => readAll(concat([file.bytes, Uint8Array.of(0)]))).message).toContain(
      'after the trailer',
    );
    const text = new TextEncoder().encode('RIFF....WAVEfmt ');
    expect(errorOf(() => readAll(text)).message).toContain('no .tsr file');
    expect(errorOf(() => readAll(Uint8Array.of(0x89, 0x50))).message).toContain('no .tsr file');
    const later = file.bytes.slice();
    later[8] = 2;
    expect(errorOf(() => readAll(later)).message).toContain('container version 2');
  });

  test('cannot make the reader wait for, or hold, more than a record of 1 MiB', () => {
    const start = file.bytes.subarray(0, file.ends[0]);
    const huge = Uint8Array.of(0x02, 0x81, 0x80, 0x40);
    expect(errorOf(() => readAll(concat([start, huge]))).message).toContain(
      'length of 1048577 bytes is impossible',
    );
    const hugeHeader = concat([file.bytes.subarray(0, 9), Uint8Array.of(0x10, 0x81, 0x80, 0x04)]);
    expect(errorOf(() => readAll(hugeHeader)).message).toContain('length of 65537 bytes is impossible');
  });

  test('fuzzed: altered and cut files give events or a TesseraError', () => {
    const random = new SeededRandom(6);
    for (let round = 0; round < 3000; round += 1) {
      const bytes = file.bytes.slice(
        0,
        random.below(3) ? file.bytes.length : random.below(file.bytes.length),
      );
      if (bytes.length === 0) continue;
      for (let change = random.below(4); change >= 0; change -= 1)
        bytes[random.below(bytes.length)] = random.below(256);
      const result = valueOrTesseraError(() => readAll(bytes));
      if (result instanceof TesseraError) expect(result.code).toBe('bad_container');
    }
  });
});

describe('the container writer', () => {
  const block: TokenBlock = { firstFrameIndex: 0, frameCount: 2, quantizers: 2, codes: new Uint16Array(4) };

  test('refuses blocks that leave out or repeat frames, or do not fit the header', () => {
    const writer = new ContainerWriter({ ...header, quantizers: 2 });
    writer.begin();
    expect(() => writer.tokens({ ...block, firstFrameIndex: 1 })).toThrow(
      'The next frame of the file is 0, not 1',
    );
    writer.tokens(block);
    expect(() => writer.tokens(block)).toThrow('The next frame of the file is 2, not 0');
    expect(() => writer.gap({ firstFrameIndex: 3, frameCount: 1, reason: 'input_lost' })).toThrow(RangeError);
    const wide = { ...block, firstFrameIndex: 2, quantizers: 3, codes: new Uint16Array(6) };
    expect(() => writer.tokens(wide)).toThrow(RangeError);
    expect(() => writer.finish({ sampleCount: 961 })).toThrow('2 frames do not hold 961 samples');
    writer.finish({ sampleCount: 960 });
    expect(() => writer.finish()).toThrow('finished');
  });

  test('refuses a packet above 1 MiB', () => {
    const writer = new ContainerWriter({ ...header, quantizers: 32 });
    writer.begin();
    const codes = new Uint16Array(32 * 65_536);
    expect(() => writer.tokens({ firstFrameIndex: 0, frameCount: 65_536, quantizers: 32, codes })).toThrow(
      RangeError,
    );
  });

  test.each<[string, Partial<ContainerHeader>]>([
    ['a digest that is not one', { modelDigest: 'abc' }],
    ['no sample rate', { sampleRate: 0 }],
    ['a codebook of one', { codebookSize: 1 }],
    ['no quantizers', { quantizers: 0 }],
    ['metadata beyond 64 KiB', { metadata: { note: 'x'.repeat(70_000) } }],
    [
      '300 metadata entries',
      { metadata: Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`k${n}`, ''])) },
    ],
  ])('refuses a header with %s', (_what, change) => {
    expect(() => new ContainerWriter({ ...header, ...change }).begin()).toThrow(RangeError);
  });

  test('is called in order', () => {
    const writer = new ContainerWriter(header);
    expect(() => writer.tokens(block)).toThrow('pending');
    expect(() => writer.finish()).toThrow('pending');
    writer.begin();
    expect(() => writer.begin()).toThrow('started');
  });
});
