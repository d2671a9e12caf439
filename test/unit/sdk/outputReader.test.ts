import { TokenEncoder } from '../../../codec/entropy/index.js';
import { loadEntropyTables } from '../../../codec/entropyTables.js';
import { encodeFrame, type ServerMessageOf } from '../../../protocol/index.js';
import { OutputReader } from '../../../sdk/outputReader.js';

const MODEL = { codebookSize: 1024, quantizers: 16, hop: 480, decoderDelaySamples: 360 };
const OPENED = {
  model: MODEL,
  limits: { maxFramesPerPacket: 50, maxFrameBytes: 65_536 },
} as ServerMessageOf<'opened'>;

test('packets that lean on one that never came are gaps, up to the next that stands alone', async () => {
  const tables = (await loadEntropyTables())!;
  const encoder = new TokenEncoder(tables);
  const packet = (firstFrameIndex: number, isFresh: boolean): Uint8Array => {
    const block = { firstFrameIndex, frameCount: 2, quantizers: 2, codes: Uint16Array.of(1, 2, 3, 4) };
    return encodeFrame({ kind: 'coded', ...encoder.encode([block], { isFresh }) }, MODEL);
  };
  const reader = new OutputReader(OPENED, 'tokens', tables);
  const [first, , third, fourth] = [packet(0, true), packet(2, false), packet(4, false), packet(6, true)];
  expect(reader.read(first)).toMatchObject([
    { kind: 'tokens', firstFrameIndex: 0, frameCount: 2, codes: Uint16Array.of(1, 2, 3, 4) },
  ]);
  const gap = { kind: 'gap', firstFrameIndex: 2, frameCount: 2, reason: 'resume_lost' } as const;
  expect(reader.read(encodeFrame(gap, MODEL))).toMatchObject([gap]);
  expect(reader.read(third)).toMatchObject([{ ...gap, firstFrameIndex: 4 }]);
  expect(reader.nextFrameIndex).toBe(6);
  expect(reader.read(fourth)).toMatchObject([{ kind: 'tokens', firstFrameIndex: 6 }]);
});

test('tokens of another coding than was asked for, and samples in place of tokens, are refused', async () => {
  const encoder = new TokenEncoder((await loadEntropyTables())!);
  const block = { firstFrameIndex: 0, frameCount: 1, quantizers: 1, codes: Uint16Array.of(1) };
  const coded = encodeFrame({ kind: 'coded', ...encoder.encode([block], { isFresh: true }) }, MODEL);
  const pcm = encodeFrame({ kind: 'pcm', firstSampleIndex: 0, payload: new Uint8Array(2) }, MODEL);
  const reader = new OutputReader(OPENED, 'tokens', undefined);
  for (const bytes of [coded, pcm]) {
    expect(() => reader.read(bytes)).toThrow(expect.objectContaining({ code: 'bad_frame' }));
  }
});
