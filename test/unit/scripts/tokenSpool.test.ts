import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Interruption } from '../../../scripts/cli/interruption.js';
import { TokenSpool } from '../../../scripts/cli/tokenSpool.js';
import { SeededRandom } from '../protocol/random.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Pushes blocks of random lengths. @returns the codebooks that were pushed. */
async function fill(spool: TokenSpool, quantizers: number, frames: number): Promise<number[][]> {
  const random = new SeededRandom(7);
  const codebooks = Array.from({ length: quantizers }, (): number[] => []);
  for (let firstFrameIndex = 0; firstFrameIndex < frames;) {
    const frameCount = Math.min(1 + random.below(40), frames - firstFrameIndex);
    const codes = random.codes(quantizers * frameCount, 65_536);
    for (const [quantizer, codebook] of codebooks.entries()) {
      codebook.push(...codes.subarray(quantizer * frameCount, (quantizer + 1) * frameCount));
    }
    await spool.push({ firstFrameIndex, frameCount, quantizers, codes });
    firstFrameIndex += frameCount;
  }
  return codebooks;
}

async function readAll(spool: TokenSpool, quantizers: number): Promise<number[][]> {
  const codebooks: number[][] = [];
  for (let quantizer = 0; quantizer < quantizers; quantizer++) {
    const codes: number[] = [];
    for await (const piece of spool.codebook(quantizer)) codes.push(...piece);
    codebooks.push(codes);
  }
  return codebooks;
}

describe('TokenSpool', () => {
  test.each([
    [1, 15],
    [3, 16],
    [3, 17],
    [12, 333],
  ])(
    'gives back %i codebooks of %i frames by way of a file of 16 frames a chunk',
    async (quantizers, frames) => {
      const spool = new TokenSpool(quantizers, new Interruption(), { framesPerChunk: 16, folder });
      const pushed = await fill(spool, quantizers, frames);
      expect(spool.frameCount).toBe(frames);
      expect(await readAll(spool, quantizers)).toEqual(pushed);
      expect(await readdir(folder)).toHaveLength(frames < 16 ? 0 : 1);
      await spool.close();
      await spool.close();
      expect(await readdir(folder)).toEqual([]);
    },
  );
});
