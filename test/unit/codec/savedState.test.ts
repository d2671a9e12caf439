import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CodecModel, StreamingDecoder, StreamingEncoder } from '../../../codec/index.js';
import { crc32c } from '../../../protocol/crc32c.js';
import { takeQuantizers, type TokenBlock } from '../../../protocol/tokens.js';
import { differenceDb, differingCodes } from '../../support/streams.js';
import { readWavFixture } from '../../support/wavFixture.js';

/** Not a multiple of a frame: samples wait in the encoder when it is saved. */
const CUT = 50_111;

let model: CodecModel;
let speech: Float32Array;

beforeAll(async () => {
  model = await CodecModel.load({ provider: 'cpu' });
  speech = readWavFixture('speech-it-1.wav').samples;
});

afterAll(() => model.close());

const base64 = (array: Uint8Array | Float32Array): string =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');

/** A saved encoder and decoder in the middle of a recording, and what they go on with here. */
async function halfway() {
  const encoder = new StreamingEncoder(model);
  const decoder = new StreamingDecoder(model);
  await decoder.push((await encoder.push(speech.subarray(0, CUT)))!);
  const saved = { encoder: encoder.exportState(), decoder: decoder.exportState() };
  const block = (await encoder.push(speech.subarray(CUT)))!;
  return { saved, block, pcm: await decoder.push(block) };
}

test('a stream that moves to another process goes on with the same codes and sound', async () => {
  const { saved, block, pcm } = await halfway();
  const input = {
    encoder: base64(saved.encoder),
    decoder: base64(saved.decoder),
    pcm: base64(speech.slice(CUT)),
  };
  const script = fileURLToPath(new URL('../../support/continueStreams.js', import.meta.url));
  const output = execFileSync(process.execPath, [script], {
    input: JSON.stringify(input),
    maxBuffer: 2 ** 26,
    encoding: 'utf8',
  });
  const moved = JSON.parse(output) as { frameIndex: number; codes: string; pcm: string };
  const codes = new Uint16Array(new Uint8Array(Buffer.from(moved.codes, 'base64')).buffer);
  expect(moved.frameIndex).toBe(block.firstFrameIndex);
  expect(differingCodes(block, { ...block, codes })).toBe(0);
  expect(new Float32Array(new Uint8Array(Buffer.from(moved.pcm, 'base64')).buffer)).toEqual(pcm);

  // The state counts: without it the same input gives other codes and other sound.
  const anew = await new StreamingEncoder(model).push(speech.subarray(CUT - (CUT % model.manifest.hop)));
  expect(differingCodes(block, { ...anew!, firstFrameIndex: block.firstFrameIndex })).toBeGreaterThan(0);
  const late = await new StreamingDecoder(model).push({ ...block, firstFrameIndex: 0 });
  expect(differenceDb(pcm.slice(0, 4800), late.slice(0, 4800))).toBeGreaterThan(-40);
});

test('saving changes nothing for the stream itself, and a copy is equal', async () => {
  const { saved, block } = await halfway();
  const copy = StreamingEncoder.import(model, saved.encoder);
  expect(copy.frameIndex).toBe(Math.floor(CUT / model.manifest.hop));
  expect(copy.pendingSamples).toBe(CUT % model.manifest.hop);
  expect(copy.exportState()).toEqual(saved.encoder);
  expect(await copy.push(speech.subarray(CUT))).toEqual(block);
});

test('flushing after a move pads as it would have before', async () => {
  const encoder = new StreamingEncoder(model);
  await encoder.push(speech.subarray(0, CUT));
  const saved = encoder.exportState();
  const flushed = await encoder.flush();
  const moved = StreamingEncoder.import(model, saved);
  expect(await moved.flush()).toEqual(flushed);
  expect(await StreamingEncoder.import(model, moved.exportState()).flush()).toBeUndefined();
});

test('a decoder saved within a concealed gap goes on with the fade', async () => {
  const tokens = (await new StreamingEncoder(model).push(speech))!;
  const decoder = new StreamingDecoder(model);
  await decoder.push(takeQuantizers(tokens, 3));
  await decoder.skip(2);
  const moved = StreamingDecoder.import(model, decoder.exportState());
  expect(await moved.skip(4)).toEqual(await decoder.skip(4));
  expect(moved.exportState()).toEqual(decoder.exportState());
});

describe('a state is refused as bad_codec_state', () => {
  let encoderState: Uint8Array;
  let decoderState: Uint8Array;
  beforeAll(async () => {
    const { saved } = await halfway();
    encoderState = saved.encoder;
    decoderState = saved.decoder;
  });
  const refused = (bytes: Uint8Array, text: string) => {
    expect(() => StreamingEncoder.import(model, bytes)).toThrow(
      expect.objectContaining({ code: 'bad_codec_state', message: expect.stringContaining(text) }),
    );
  };
  /** The state with a byte changed, and a checksum that fits. */
  const forged = (at: number, value: number): Uint8Array => {
    const bytes = encoderState.slice();
    bytes[at] = value;
    const end = bytes.length - 4;
    new DataView(bytes.buffer).setUint32(end, crc32c(bytes.subarray(0, end)), true);
    return bytes;
  };

  test('when any byte is flipped', () => {
    for (let at = 0; at < encoderState.length; at += 1 + (at >> 3)) {
      const bytes = encoderState.slice();
      bytes[at]! ^= 0x10;
      expect(() => StreamingEncoder.import(model, bytes)).toThrow(
        expect.objectContaining({ code: 'bad_codec_state' }),
      );
    }
  });
  test('when it is cut short, or empty', () => {
    for (const length of [0, 3, 8, 40, 1000, encoderState.length - 1]) {
      refused(encoderState.subarray(0, length), 'codec state');
    }
  });
  test('when it is of the other side', () => {
    refused(decoderState, 'is of the decoder');
    expect(() => StreamingDecoder.import(model, encoderState)).toThrow(
      expect.objectContaining({
        code: 'bad_codec_state',
        message: expect.stringContaining('is of the encoder'),
      }),
    );
  });
  test('when it is of another model', () => {
    refused(forged(6, encoderState[6]! ^ 1), 'is of the model');
  });
  test('when it is of another version', () => {
    refused(forged(4, 2), 'version 2');
  });
  test('when its length is not that of the state tensors', () => {
    const end = encoderState.length - 4;
    const longer = new Uint8Array(encoderState.length + 4);
    longer.set(encoderState.subarray(0, end));
    new DataView(longer.buffer).setUint32(end + 4, crc32c(longer.subarray(0, end + 4)), true);
    refused(longer, 'after its last field');
  });
});

test('a stream at work cannot be saved', async () => {
  const encoder = new StreamingEncoder(model);
  const decoder = new StreamingDecoder(model);
  const encoding: Promise<TokenBlock | undefined> = encoder.push(speech.subarray(0, 4800));
  expect(() => encoder.exportState()).toThrow(expect.objectContaining({ code: 'bad_state' }));
  const block = (await encoding)!;
  const decoding = decoder.push(block);
  expect(() => decoder.exportState()).toThrow(expect.objectContaining({ code: 'bad_state' }));
  await decoding;
  expect(StreamingDecoder.import(model, decoder.exportState()).frameIndex).toBe(10);
});
