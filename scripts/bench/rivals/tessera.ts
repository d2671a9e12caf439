import type { EntropyTables } from '../../../codec/entropy/index.js';
import { decodeTokens, encodePcm, type CodecModel } from '../../../codec/index.js';
import { bitsPerCode, type Depth, type TokenBlock } from '../../../protocol/index.js';
import { CodedPackets } from '../../cli/codedFile.js';
import type { Row } from './rival.js';

/** Tessera at so many codebooks; with tables, entropy-coded as in files, and its bits are those of the packets. */
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
  const packets = new CodedPackets(tables, summary.frameRate);
  const runs = [...blocks.map((block) => packets.add(block)), packets.cut()];
  const segments = runs.flatMap((run) => run?.segments ?? []);
  return 8 * segments.reduce((total, segment) => total + segment.length, 0);
}
