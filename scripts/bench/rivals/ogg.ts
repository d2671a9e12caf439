/** Codec headers stand in the first two packets of Ogg Opus and Ogg Speex. */
const HEADER_PACKETS = 2;
const SEGMENT_TABLE = 27;
const FULL_SEGMENT = 255;

/**
 * Bytes of each packet of an Ogg stream (RFC 3533), without those of the codec's headers.
 * @throws Error where the bytes are no Ogg pages.
 */
export function oggPacketBytes(file: Uint8Array): number[] {
  const sizes: number[] = [];
  let size = 0;
  for (let page = 0; page < file.length;) {
    if (file[page] !== 0x4f || file[page + 1] !== 0x67) throw new Error(`No Ogg page at byte ${page}`);
    const segments = file.subarray(
      page + SEGMENT_TABLE,
      page + SEGMENT_TABLE + (file[page + SEGMENT_TABLE - 1] ?? 0),
    );
    let pageBytes = 0;
    for (const length of segments) {
      pageBytes += length;
      size += length;
      if (length === FULL_SEGMENT) continue;
      sizes.push(size);
      size = 0;
    }
    page += SEGMENT_TABLE + segments.length + pageBytes;
  }
  return sizes.slice(HEADER_PACKETS);
}

/** Bytes of them all. @throws Error where the bytes are no Ogg pages. */
export function oggPayloadBytes(file: Uint8Array): number {
  return oggPacketBytes(file).reduce((total, size) => total + size, 0);
}
