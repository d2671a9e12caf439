import {
  ContainerReader,
  ContainerSeeker,
  ContainerWriter,
  sliceFrames,
  TesseraError,
  type ContainerIndexEntry,
  type ContainerEvent,
  type ContainerRun,
  type RandomAccessSource,
} from '../../../protocol/index.js';
import {
  encodeIndexBody,
  encodeRecord,
  encodeTrailerBody,
  RECORD_TYPES,
} from '../../../protocol/container/format.js';
import { SeededRandom } from './random.js';
import { concat, header, sampleFile } from './sampleFile.js';

function sourceOf(bytes: Uint8Array): RandomAccessSource & { bytesRead: number } {
  return {
    byteLength: bytes.length,
    bytesRead: 0,
    read(offset, length) {
      if (offset < 0 || length < 1 || offset + length > bytes.length)
        throw new RangeError('Outside the source');
      this.bytesRead += length;
      return Promise.resolve(bytes.slice(offset, offset + length));
    },
  };
}

describe('seeking', () => {
  const file = sampleFile(8, 400, 30);

  async function collect(runs: AsyncIterable<ContainerRun>): Promise<ContainerRun[]> {
    const all: ContainerRun[] = [];
    for await (const run of runs) all.push(run);
    return all;
  }

  function expected(first: number, end: number): ContainerRun[] {
    const tokens = file.blocks.flatMap((whole) => {
      const block = sliceFrames(whole, first, end);
      return block
        ? [{ kind: 'tokens' as const, at: block.firstFrameIndex, run: { kind: 'tokens' as const, block } }]
        : [];
    });
    const gaps = file.gaps.flatMap((gap) => {
      const at = Math.max(first, gap.firstFrameIndex);
      const frameCount = Math.min(end, gap.firstFrameIndex + gap.frameCount) - at;
      if (frameCount <= 0) return [];
      return [
        {
          kind: 'gap' as const,
          at,
          run: { kind: 'gap' as const, gap: { ...gap, firstFrameIndex: at, frameCount } },
        },
      ];
    });
    return [...tokens, ...gaps].sort((a, b) => a.at - b.at).map(({ run }) => run);
  }

  test('gives exactly the frames asked for', async () => {
    const seeker = await ContainerSeeker.open(sourceOf(file.bytes));
    expect(seeker.header).toEqual(header);
    expect(seeker.trailer.frameCount).toBe(file.frameCount);
    const random = new SeededRandom(9);
    for (let round = 0; round < 100; round += 1) {
      const first = random.below(file.frameCount);
      const count = 1 + random.below(round % 2 ? 3 : 500);
      const end = Math.min(first + count, file.frameCount);
      expect(await collect(seeker.read(first, count))).toEqual(expected(first, end));
    }
    expect(await collect(seeker.read(0))).toEqual(expected(0, file.frameCount));
    expect(await collect(seeker.read(file.frameCount))).toEqual([]);
  });

  test('reads a small part of the file for a small part of the sound', async () => {
    const source = sourceOf(file.bytes);
    const seeker = await ContainerSeeker.open(source);
    source.bytesRead = 0;
    await collect(seeker.read(file.frameCount - 20, 5));
    expect(source.bytesRead).toBeLessThan(file.bytes.length / 3);
  });

  test('needs a whole file, and sound packets where it reads', async () => {
    await expect(ContainerSeeker.open(sourceOf(file.bytes.subarray(0, -1)))).rejects.toMatchObject({
      code: 'truncated_container',
    });
    await expect(ContainerSeeker.open(sourceOf(new Uint8Array()))).rejects.toMatchObject({
      code: 'truncated_container',
    });
    const bytes = file.bytes.slice();
    bytes[file.ends[200]! + 4]! ^= 1;
    const seeker = await ContainerSeeker.open(sourceOf(bytes));
    await expect(collect(seeker.read(0))).rejects.toMatchObject({ code: 'bad_container' });
    expect(await collect(seeker.read(0, 20))).toEqual(expected(0, 20));
  });

  test('in a file of many hours stays within the bounds of the index', async () => {
    const writer = new ContainerWriter({ ...header, quantizers: 1 });
    const parts = [writer.begin()];
    const codes = Uint16Array.of(1);
    for (let packet = 0; packet < 140_000; packet += 1) {
      const firstFrameIndex = writer.nextFrameIndex;
      const gap = { firstFrameIndex, frameCount: 99, reason: 'input_lost' } as const;
      if (packet % 2) parts.push(writer.gap(gap));
      else parts.push(writer.tokens({ firstFrameIndex, frameCount: 1, quantizers: 1, codes }));
    }
    for (let packet = 0; packet < 20_000; packet += 1) {
      parts.push(
        writer.gap({ firstFrameIndex: writer.nextFrameIndex, frameCount: 100, reason: 'input_lost' }),
      );
    }
    parts.push(writer.finish());
    const bytes = new Uint8Array(writer.byteLength);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const reader = new ContainerReader();
    reader.push(bytes);
    let index: Extract<ContainerEvent, { kind: 'index' }> | undefined;
    for (let event = reader.read(); event; event = reader.read()) if (event.kind === 'index') index = event;
    const entries = index?.entries ?? [];
    expect(entries.length).toBeLessThanOrEqual(65_536);
    expect(entries.length).toBeGreaterThan(30_000);
    expect(entries[0]).toEqual({ firstFrameIndex: 0, byteOffset: parts[0]?.length });
    // After thinning, entries of the new part keep the wider spacing too.
    const steps = entries
      .slice(1)
      .map((entry, at) => entry.firstFrameIndex - (entries[at]?.firstFrameIndex ?? 0));
    expect(Math.min(...steps.slice(0, 30_000))).toBeGreaterThanOrEqual(128);
    expect(Math.min(...steps.slice(-4000))).toBeGreaterThanOrEqual(128);
    const seeker = await ContainerSeeker.open(sourceOf(bytes));
    const [run] = await collect(seeker.read(100 * 20_000, 1));
    expect(run).toMatchObject({ kind: 'tokens', block: { firstFrameIndex: 2_000_000, codes } });
  });

  test('does not trust an index or trailer that is sound but wrong', async () => {
    const small = sampleFile(10, 6, 10);
    const indexOffset = small.ends.at(-2)!;
    const rebuild = (entries: ContainerIndexEntry[], at = indexOffset): Uint8Array => {
      const index = encodeRecord(RECORD_TYPES.index, encodeIndexBody(entries));
      const trailer = { frameCount: small.frameCount, recordCount: 6, indexByteOffset: at, checksum: 0 };
      const end = encodeRecord(RECORD_TYPES.trailer, encodeTrailerBody(trailer));
      return concat([small.bytes.subarray(0, indexOffset), index, end]);
    };
    const first = { firstFrameIndex: 0, byteOffset: small.ends[0]! };
    const sound = await ContainerSeeker.open(sourceOf(rebuild([first])));
    expect(await collect(sound.read(0, 1))).toHaveLength(1);

    const misplaced: Uint8Array[] = [
      rebuild([first], indexOffset - 1),
      rebuild([first], 2 ** 50),
      rebuild([{ firstFrameIndex: 0, byteOffset: indexOffset }]),
      rebuild([first, first]),
    ];
    for (const bytes of misplaced) {
      await expect(ContainerSeeker.open(sourceOf(bytes))).rejects.toMatchObject({ code: 'bad_container' });
    }
    const misleading: Uint8Array[] = [
      rebuild([]),
      rebuild([{ firstFrameIndex: 0, byteOffset: first.byteOffset + 1 }]),
      rebuild([{ firstFrameIndex: 0, byteOffset: small.ends[1]! }]),
    ];
    for (const bytes of misleading) {
      const seeker = await ContainerSeeker.open(sourceOf(bytes));
      await expect(collect(seeker.read(0))).rejects.toMatchObject({ code: 'bad_container' });
    }
  });

  test('fuzzed: a file with altered bytes gives runs or a TesseraError, and never reads outside', async () => {
    const random = new SeededRandom(12);
    const small = sampleFile(11, 20, 10);
    for (let round = 0; round < 1000; round += 1) {
      const bytes = small.bytes.slice();
      for (let change = random.below(3); change >= 0; change -= 1)
        bytes[random.below(bytes.length)] = random.below(256);
      try {
        const seeker = await ContainerSeeker.open(sourceOf(bytes));
        await collect(seeker.read(random.below(100), 1 + random.below(50)));
      } catch (error) {
        expect(error).toBeInstanceOf(TesseraError);
      }
    }
  });
});
