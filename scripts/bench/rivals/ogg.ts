/** Codec headers stand in the first two packets of Ogg Opus and Ogg Speex. */
const HEADER_PACKETS = 2;
const SEGMENT_TABLE = 27;
const FULL_SEGMENT = 255;

/**
 * Bytes of the packets of an Ogg stream (RFC 3533), without those of the codec's headers.
 * @throws Error where the bytes are no Ogg pages.
 */
export function oggPayloadBytes(file: Uint8Array): number {
  let packets = 0;
  let total = 0;
  for (let page = 0; page < file.length;) {
    if (file[page] !== 0x4f || file[page + 1] !== 0x67) throw new Error(`No Ogg page at byte ${page}`);
    const segments = file.subarray(
      page + SEGMENT_TABLE,
      page + SEGMENT_TABLE + (file[page + SEGMENT_TABLE - 1] ?? 0),
    );
    let size = 0;
    for (const length of segments) {
      size += length;
      if (packets >= HEADER_PACKETS) total += length;
      if (length < FULL_SEGMENT) packets += 1;
    }
    page += SEGMENT_TABLE + segments.length + size;
  }
  return total;
}
