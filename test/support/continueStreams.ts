/**
 * Goes on with saved streams in this process: reads `{ encoder, decoder, pcm }` as JSON of Base64 texts from standard
 * input, and writes the frames and the sound of the rest as `{ frameIndex, codes, pcm }`.
 */
import { text } from 'node:stream/consumers';
import { CodecModel, StreamingDecoder, StreamingEncoder } from '../../codec/index.js';

const input = JSON.parse(await text(process.stdin)) as { encoder: string; decoder: string; pcm: string };
const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
const base64 = (array: Uint16Array | Float32Array): string =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');

const model = await CodecModel.load({ provider: 'cpu' });
const encoder = StreamingEncoder.import(model, bytes(input.encoder));
const decoder = StreamingDecoder.import(model, bytes(input.decoder));
const block = await encoder.push(new Float32Array(bytes(input.pcm).buffer));
if (block === undefined) throw new Error('The rest makes no frame');
const pcm = await decoder.push(block);
process.stdout.write(
  JSON.stringify({ frameIndex: block.firstFrameIndex, codes: base64(block.codes), pcm: base64(pcm) }),
);
