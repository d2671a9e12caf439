import { ByteReader } from '../../protocol/byteReader.js';
import { ByteWriter } from '../../protocol/byteWriter.js';
import { crc32c } from '../../protocol/crc32c.js';
import { TesseraError } from '../../protocol/errors.js';
import { elementCount, type GraphManifest } from '../manifest.js';

/** "TSRS", the first bytes of a saved state. */
const MAGIC = Uint8Array.of(0x54, 0x53, 0x52, 0x53);
const VERSION = 1;
const CHECKSUM_BYTES = 4;
const SIDES = ['encoder', 'decoder'] as const;

/** Which half of the codec a state belongs to. */
export type Side = (typeof SIDES)[number];

/** What a saved state has to agree with. */
export interface StateOwner {
  readonly side: Side;
  /** Of the model, 64 hex digits. */
  readonly digest: string;
  readonly graph: GraphManifest;
}

/** Values of one state tensor, of one stream or of several one behind the other. */
export type StateArray = Float32Array | Int8Array;

/** Zeros for so many streams' tensors of one of the manifest's states. */
export function stateArray({ type, shape }: GraphManifest['states'][number], streams: number): StateArray {
  const length = streams * elementCount(shape);
  return type === 'int8' ? new Int8Array(length) : new Float32Array(length);
}

/** The state tensors of one stream, in the manifest's order. */
export class CodecState {
  /** One array for each tensor, the shape flattened; may be views into larger arrays. */
  readonly tensors: readonly StateArray[];

  constructor(tensors: readonly StateArray[]) {
    this.tensors = tensors;
  }

  /** Takes over the values of a state of the same shape. */
  set(other: CodecState): void {
    for (let index = 0; index < this.tensors.length; index += 1) {
      const source = other.tensors[index];
      if (source) this.tensors[index]?.set(source);
    }
  }

  /** Back to the start of a stream. */
  clear(): void {
    for (const tensor of this.tensors) tensor.fill(0);
  }
}

/** The states that lie in `tensors` one behind the other, as views. */
export function statesOf(tensors: readonly StateArray[], streams: number): CodecState[] {
  return Array.from({ length: streams }, (_, stream) => {
    const partOf = (tensor: StateArray): StateArray => {
      const length = tensor.length / streams;
      return tensor.subarray(stream * length, (stream + 1) * length);
    };
    return new CodecState(tensors.map(partOf));
  });
}

/**
 * A stream's whole state as bytes: magic, version, side, model digest (32 bytes), index of the next frame (LEB128), the
 * fields that `writeFields` adds, the tensors (int8, or float32, little-endian), CRC-32C of all before.
 */
export function writeState(
  owner: StateOwner,
  frameIndex: number,
  state: CodecState,
  writeFields: (writer: ByteWriter) => void,
): Uint8Array {
  const writer = new ByteWriter().append(MAGIC).byte(VERSION).byte(SIDES.indexOf(owner.side));
  writer.append(Buffer.from(owner.digest, 'hex')).varint(frameIndex);
  writeFields(writer);
  for (const tensor of state.tensors) {
    if (tensor instanceof Int8Array)
      writer.append(new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.length));
    else writeFloats(writer, tensor);
  }
  return writer.uint32(crc32c(writer.bytes())).bytes().slice();
}

/**
 * Reads what {@link writeState} wrote; `readFields` must take exactly what `writeFields` added.
 * @throws TesseraError `bad_codec_state` when the bytes are damaged, or of another side, model or version.
 */
export function readState<Fields>(
  owner: StateOwner,
  bytes: Uint8Array,
  readFields: (reader: ByteReader) => Fields,
): { frameIndex: number; state: CodecState; fields: Fields } {
  const fail = (problem: string): TesseraError =>
    new TesseraError('bad_codec_state', `The codec state ${problem}`);
  if (bytes.length < MAGIC.length + CHECKSUM_BYTES || MAGIC.some((byte, at) => bytes[at] !== byte)) {
    throw fail('does not begin as one');
  }
  const content = bytes.subarray(0, bytes.length - CHECKSUM_BYTES);
  const checksum = new ByteReader(bytes.subarray(content.length), 'bad_codec_state', 'The codec state');
  if (checksum.uint32('its checksum') !== crc32c(content)) throw fail('is damaged: its checksum is wrong');

  const reader = new ByteReader(content.subarray(MAGIC.length), 'bad_codec_state', 'The codec state');
  const version = reader.byte('its version');
  if (version !== VERSION) throw fail(`is of version ${version}, not ${VERSION}`);
  const side = SIDES[reader.byte('its side')];
  if (side !== owner.side) throw fail(`is of the ${side ?? 'unknown side'}, not of the ${owner.side}`);
  const digest = Buffer.from(reader.take('the digest of its model', owner.digest.length / 2)).toString('hex');
  if (digest !== owner.digest) throw fail(`is of the model ${digest}, not ${owner.digest}`);
  const frameIndex = reader.varint('its frame index');
  const fields = readFields(reader);
  const tensors = owner.graph.states.map(({ shape, type }) => {
    const count = elementCount(shape);
    return type === 'int8' ? Int8Array.from(reader.take('its tensors', count)) : readFloats(reader, count);
  });
  reader.end();
  return { frameIndex, state: new CodecState(tensors), fields };
}

/** Appends values as little-endian float32. */
export function writeFloats(writer: ByteWriter, values: Float32Array): void {
  const target = writer.reserve(4 * values.length);
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  for (let at = 0; at < values.length; at += 1) view.setFloat32(4 * at, values[at] ?? 0, true);
}

/** Reads `count` little-endian float32 values. */
export function readFloats(reader: ByteReader, count: number): Float32Array {
  const source = reader.take('its samples and tensors', 4 * count);
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const values = new Float32Array(count);
  for (let at = 0; at < count; at += 1) values[at] = view.getFloat32(4 * at, true);
  return values;
}
