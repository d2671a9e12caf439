import type { ByteReader } from './byteReader.js';

/** The first page of an Ogg stream: 28 bytes of header, then the codec's own magic. */
const OGG_MAGIC = 'OggS';
const OGG_OPUS_OFFSET = 28;
const OGG_OPUS_MAGIC = 'OpusHead';

const EBML_MAGIC = '\x1a\x45\xdf\xa3';
/** The ids of Matroska's audio codecs: `A_OPUS`, `A_VORBIS`, `A_AAC`... */
const MATROSKA_CODEC = /A_[A-Z][A-Z0-9_/]{2}/;
/** The tracks stand at the start of what browsers record; further in, one would wait for bytes of a live stream. */
const MATROSKA_SEARCH_BYTES = 16_384;
const STEP_BYTES = 64;

/**
 * Whether the stream is Opus in Ogg, WebM or Matroska. Nothing is consumed, and the answer does not depend on how
 * the stream was cut.
 */
export async function holdsOpus(reader: ByteReader): Promise<boolean> {
  let head = latin1(await reader.read(OGG_OPUS_OFFSET + OGG_OPUS_MAGIC.length));
  if (head.startsWith(EBML_MAGIC)) {
    while (!MATROSKA_CODEC.test(head) && head.length < MATROSKA_SEARCH_BYTES) {
      const more = await reader.read(STEP_BYTES);
      if (more.length === 0) break;
      head += latin1(more);
    }
  }
  reader.unread(Buffer.from(head, 'latin1'));
  if (head.startsWith(OGG_MAGIC)) return head.slice(OGG_OPUS_OFFSET).startsWith(OGG_OPUS_MAGIC);
  return head.startsWith(EBML_MAGIC) && MATROSKA_CODEC.exec(head)?.[0] === 'A_OPU';
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
