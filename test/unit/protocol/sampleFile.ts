import {
  ContainerWriter,
  type ContainerHeader,
  type GapFrame,
  type TokenBlock,
} from '../../../protocol/index.js';
import { SeededRandom } from './random.js';

/** A header that a file of the default model could have. */
export const header: ContainerHeader = {
  modelName: 'tessera-24k',
  modelVersion: '1.0.0',
  modelDigest: '0123456789abcdef'.repeat(4),
  sampleRate: 24_000,
  hop: 480,
  codebookSize: 1024,
  quantizers: 12,
  decoderDelaySamples: 360,
  // A key that a plain assignment would take for the prototype.
  metadata: { source: 'Übung.wav', ['__proto__']: 'kept as text' },
};

/** A file and what it should read as. */
export interface SampleFile {
  bytes: Uint8Array;
  blocks: TokenBlock[];
  gaps: Omit<GapFrame, 'kind'>[];
  /** Where each appended piece ends. */
  ends: number[];
  frameCount: number;
}

/** One array of several. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A file of random packets of 1 to `maxFrames` frames, each fifth one a gap. */
export function sampleFile(
  seed: number,
  packets: number,
  maxFrames: number,
  sampleCount?: number,
): SampleFile {
  const random = new SeededRandom(seed);
  const writer = new ContainerWriter(header);
  const parts = [writer.begin()];
  const blocks: TokenBlock[] = [];
  const gaps: Omit<GapFrame, 'kind'>[] = [];
  for (let packet = 0; packet < packets; packet += 1) {
    const firstFrameIndex = writer.nextFrameIndex;
    const frameCount = 1 + random.below(maxFrames);
    if (packet % 5 === 4) {
      gaps.push({ firstFrameIndex, frameCount, reason: 'input_lost' });
      parts.push(writer.gap({ firstFrameIndex, frameCount, reason: 'input_lost' }));
    } else {
      const quantizers = 1 + random.below(12);
      const codes = random.codes(frameCount * quantizers, 1024);
      blocks.push({ firstFrameIndex, frameCount, quantizers, codes });
      parts.push(writer.tokens({ firstFrameIndex, frameCount, quantizers, codes }));
    }
  }
  parts.push(writer.finish({ sampleCount }));
  let end = 0;
  const ends = parts.map((part) => (end += part.length));
  expect(writer.byteLength).toBe(end);
  return { bytes: concat(parts), blocks, gaps, ends, frameCount: writer.nextFrameIndex };
}
