import { TokenEncoder, type EntropyTables } from '../../../codec/entropy/index.js';
import { decodeTokens, encodePcm, type CodecModel } from '../../../codec/index.js';
import { bitsPerCode, type Depth, type TokenBlock } from '../../../protocol/index.js';
import type { Row } from './rival.js';

/** Packets of so many seconds, each of which stands alone. */
const PACKET_SECONDS = 5;

/** Tessera at so many codebooks; with tables, entropy-coded, and its bits are those of the coded packets. */
export function tesseraRow(
  model: CodecModel,
  quantizers: number,
  depth: Depth,
  tables: EntropyTables | undefined,
): Row {
  const coding = tables ? ', entropy-coded' : '';
  return {
    name: `Tessera q${quantizers}${depth === 'adaptive' ? ', adaptive depth' : ''}${coding}`,
    code: async (speech) => {
      const blocks: TokenBlock[] = [];
      for await (const block of encodePcm(model, speech, { quantizers, depth })) blocks.push(block);
      const samples = new Float32Array(speech.length);
      let at = 0;
      for await (const piece of decodeTokens(model, blocks, { quantizers, sampleCount: speech.length })) {
        samples.set(piece, at);
        at += piece.length;
      }
      return { samples, bits: bitsOf(model, blocks, tables) };
    },
  };
}

function bitsOf(
  { summary }: CodecModel,
  blocks: readonly TokenBlock[],
  tables: EntropyTables | undefined,
): number {
  if (tables === undefined) {
    const codes = blocks.reduce((total, block) => total + block.codes.length, 0);
    return codes * bitsPerCode(summary.codebookSize);
  }
  const encoder = new TokenEncoder(tables);
  let bytes = 0;
  let waiting: TokenBlock[] = [];
  const send = (): void => {
    if (waiting.length === 0) return;
    const run = encoder.encode(waiting, { isFresh: true });
    bytes += run.segments.reduce((total, segment) => total + segment.length, 0);
    waiting = [];
  };
  for (const block of blocks) {
    waiting.push(block);
    const frames = block.firstFrameIndex + block.frameCount - (waiting[0]?.firstFrameIndex ?? 0);
    if (frames >= PACKET_SECONDS * summary.frameRate) send();
  }
  send();
  return 8 * bytes;
}
