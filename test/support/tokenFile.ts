import {
  ContainerReader,
  ContainerWriter,
  type ContainerHeader,
  type ContainerTrailer,
  type TokenBlock,
} from '../../protocol/index.js';

/** A whole `.tsr` file in memory. */
export interface TokenFile {
  readonly header: ContainerHeader;
  readonly blocks: readonly TokenBlock[];
  readonly trailer: ContainerTrailer;
  /** Where each packet begins, and where the packets end. */
  readonly offsets: readonly number[];
}

/** Reads a file that must be whole and without gaps. */
export function readTokenFile(bytes: Uint8Array): TokenFile {
  const reader = new ContainerReader();
  reader.push(bytes);
  const blocks: TokenBlock[] = [];
  const offsets: number[] = [];
  let header: ContainerHeader | undefined;
  let trailer: ContainerTrailer | undefined;
  for (let event = reader.read(); event !== undefined; event = reader.read()) {
    if (event.kind === 'header') header = event.header;
    else if (event.kind === 'tokens') blocks.push(event.block);
    else if (event.kind === 'end') trailer = event.trailer;
    else if (event.kind === 'gap') throw new Error('The file has a gap');
    if (event.kind === 'tokens' || event.kind === 'index') offsets.push(event.byteOffset);
  }
  if (header === undefined || trailer === undefined) throw new Error('The file is not whole');
  return { header, blocks, trailer, offsets };
}

/** The same tokens under a header with other fields. */
export function rewriteHeader(file: TokenFile, fields: Partial<ContainerHeader>): Uint8Array {
  const writer = new ContainerWriter({ ...file.header, ...fields });
  const parts = [writer.begin(), ...file.blocks.map((block) => writer.tokens(block))];
  return Buffer.concat([...parts, writer.finish({ sampleCount: file.trailer.sampleCount })]);
}

/** All frames as one list of codes for each codebook. */
export function codebooksOf(blocks: readonly TokenBlock[]): number[][] {
  const quantizers = blocks[0]?.quantizers ?? 0;
  return Array.from({ length: quantizers }, (_, quantizer) =>
    blocks.flatMap(({ codes, frameCount }) => [
      ...codes.subarray(quantizer * frameCount, (quantizer + 1) * frameCount),
    ]),
  );
}
