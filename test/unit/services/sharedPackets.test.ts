import { SharedPackets } from '../../../services/gateway/sharedPackets.js';
import { plainPacker, TokenPacketizer, type TokenPacker } from '../../../services/gateway/packetizer.js';
import type { ModelSummary } from '../../../protocol/serverMessages.js';
import { takeQuantizers, type TokenBlock } from '../../../protocol/tokens.js';

const MODEL = { codebookSize: 1024 } as ModelSummary;

function block(firstFrameIndex: number): TokenBlock {
  const codes = Uint16Array.from({ length: 8 }, (_, at) => 8 * firstFrameIndex + at);
  return { firstFrameIndex, frameCount: 1, quantizers: 8, codes };
}

function subscriber(
  shared: SharedPackets,
  packer: TokenPacker,
  quantizers: number,
  framesPerPacket: number,
  phase = 0,
) {
  const packetizer = new TokenPacketizer(packer, framesPerPacket, () => shared);
  packetizer.phase = phase;
  return (each: TokenBlock) =>
    packetizer.add({ kind: 'tokens', block: takeQuantizers(each, quantizers) }).map(({ bytes }) => bytes);
}

test('subscribers who get the same packet share its bytes, and only those', () => {
  const shared = new SharedPackets();
  const shapes = [
    [4, 2],
    [4, 2],
    [3, 2],
    [4, 1],
  ] as const;
  const all = shapes.map(([depth, frames]) => subscriber(shared, plainPacker(MODEL), depth, frames));
  const alone = shapes.map(([depth, frames]) =>
    subscriber(new SharedPackets(), plainPacker(MODEL), depth, frames),
  );
  for (let at = 0; at < 100; at += 1) {
    const got = all.map((add) => add(block(at)));
    expect(got).toEqual(alone.map((add) => add(block(at))));
    if (at % 2 === 1) expect(got[0]?.[0]).toBe(got[1]?.[0]);
  }
});

test('a subscriber who joins between two packets ends its first with the others', () => {
  const shared = new SharedPackets();
  const [first, late] = [0, 1].map(() => subscriber(shared, plainPacker(MODEL), 4, 3));
  for (let at = 0; at < 9; at += 1) {
    const got = first?.(block(at));
    const gotLate = at < 1 ? [] : late?.(block(at));
    expect(got).toHaveLength(at % 3 === 2 ? 1 : 0);
    expect(gotLate).toHaveLength(at % 3 === 2 ? 1 : 0);
    if (at > 2) expect(gotLate?.[0]).toBe(got?.[0]);
  }
});

test('subscribers of another phase end their packets at other frames, and share them among each other', () => {
  const shared = new SharedPackets();
  const phases = [0, 2, 2];
  const all = phases.map((phase) => subscriber(shared, plainPacker(MODEL), 4, 3, phase));
  for (let at = 0; at < 30; at += 1) {
    const got = all.map((add) => add(block(at)));
    expect(got.map((packets) => packets.length)).toEqual(
      phases.map((phase) => Number((at + phase) % 3 === 2)),
    );
    if (got[1]?.length) expect(got[1][0]).toBe(got[2]?.[0]);
  }
});

test('depths of the same frames are packed at once where the packer can, from what was published', () => {
  const shared = new SharedPackets();
  let packed = 0;
  const packer: TokenPacker = {
    coding: 'entropy',
    standsAlone: true,
    mixesDepths: true,
    pack: (blocks) => {
      packed += 1;
      return Uint8Array.from(blocks.flatMap(({ codes }) => [...codes]));
    },
    packCuts: (blocks) =>
      Array.from({ length: 8 }, (_, at) =>
        Uint8Array.from(blocks.flatMap((each) => [...takeQuantizers(each, at + 1).codes])),
      ),
  };
  const blocks = [block(0), block(1)];
  const pack = (quantizers: number): Uint8Array =>
    shared.pack(
      packer,
      blocks.map((each) => takeQuantizers(each, quantizers)),
    );
  for (const each of blocks) shared.note(each);
  const expected = [3, 8, 5, 1, 3].map((quantizers) =>
    Uint8Array.from(blocks.flatMap((each) => [...takeQuantizers(each, quantizers).codes])),
  );
  expect([3, 8, 5, 1, 3].map(pack)).toEqual(expected);
  expect(packed).toBe(1);
  // Of frames that were published at different depths there are no cuts.
  const uneven = [block(2), takeQuantizers(block(3), 4)];
  for (const each of uneven) shared.note(each);
  for (const quantizers of [2, 3, 4]) {
    shared.pack(
      packer,
      uneven.map((each) => takeQuantizers(each, quantizers)),
    );
  }
  expect(packed).toBe(4);
});

test('packets that lean on others are not shared, and old ones are let go', () => {
  const shared = new SharedPackets();
  let made = 0;
  const packer = (standsAlone: boolean): TokenPacker => ({
    coding: 'entropy',
    standsAlone,
    mixesDepths: true,
    pack: () => Uint8Array.of((made += 1)),
  });
  const pack = (at: number, alone = true): Uint8Array => shared.pack(packer(alone), [block(at)]);
  expect(pack(0)).toBe(pack(0));
  expect(pack(0, false)).not.toEqual(pack(0));
  expect(made).toBe(2);
  for (let at = 1; at <= 512; at += 1) pack(at);
  expect(pack(512)).toBe(pack(512));
  const before = made;
  pack(0);
  expect(made).toBe(before + 1);
});
