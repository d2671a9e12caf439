import { MAX_DEPTH_STRENGTH, stoi, type EncodedBlock } from '../../../codec/index.js';
import type { DepthSetting, TesseraCodec } from '../rivals/tessera.js';
import type { Recording } from '../recordings.js';

/** Bounds of the depth that are tried: so many above the least whose fixed depth is beyond the rate. */
const DEPTHS_BEYOND = [0, 1, 2, 4];
/** Strengths are rounded up to whole steps. */
const STRENGTH_STEP = 0.05;
/** Share of the rate that is used, so that other recordings stay within it too. */
const RATE_MARGIN = 0.98;

interface Sound {
  readonly samples: Float32Array;
  readonly blocks: readonly EncodedBlock[];
}

/**
 * For each rate the setting of adaptive depth, entropy-coded, whose mean rate over the recordings is at or under it and whose
 * mean STOI is best. Choose on other recordings than those that are scored. Rates below any that the model has are left out.
 */
export async function chooseSettings(
  tessera: TesseraCodec,
  recordings: readonly Recording[],
  rates: readonly number[],
): Promise<DepthSetting[]> {
  const { quantizers: all, sampleRate } = tessera.model.manifest;
  const chosen: DepthSetting[] = [];
  const sounds: Sound[] = [];
  for (const { samples } of recordings) sounds.push({ samples, blocks: await tessera.encode(samples) });
  const seconds = recordings.reduce((sum, { samples }) => sum + samples.length, 0) / sampleRate;
  const isWithin = (setting: DepthSetting, kbps: number): boolean => {
    const bits = sounds.map(({ blocks }) => tessera.codedBits(tessera.cut(blocks, setting)));
    return bits.reduce((sum, some) => sum + some, 0) <= 1000 * kbps * seconds * RATE_MARGIN;
  };
  for (const rate of rates) {
    let least = 1;
    while (least < all && isWithin({ maxQuantizers: least }, rate)) least += 1;
    const depths = DEPTHS_BEYOND.map((more) => least + more).filter((depth) => depth <= all);
    const candidates = depths.flatMap((maxQuantizers): DepthSetting[] => {
      const strength = leastStrength((tried) => isWithin({ maxQuantizers, strength: tried }, rate));
      return strength === undefined ? [] : [{ maxQuantizers, strength }];
    });
    let best = -Infinity;
    let setting: DepthSetting | undefined;
    for (const candidate of candidates) {
      const score = await meanStoi(tessera, sounds, candidate);
      if (score > best) [best, setting] = [score, candidate];
    }
    if (setting) chosen.push(setting);
  }
  return chosen;
}

/** The least strength that is enough, by bisection: the greater it is, the lower the rate. Undefined where none is. */
function leastStrength(isEnough: (strength: number) => boolean): number | undefined {
  if (!isEnough(MAX_DEPTH_STRENGTH)) return undefined;
  if (isEnough(0)) return 0;
  let [low, high] = [0, MAX_DEPTH_STRENGTH];
  while (high - low > STRENGTH_STEP / 2) {
    const middle = (low + high) / 2;
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return Number((Math.ceil(high / STRENGTH_STEP) * STRENGTH_STEP).toFixed(2));
}

async function meanStoi(
  tessera: TesseraCodec,
  sounds: readonly Sound[],
  setting: DepthSetting,
): Promise<number> {
  let sum = 0;
  for (const { samples, blocks } of sounds) {
    const decoded = await tessera.decode(tessera.cut(blocks, setting), samples.length);
    sum += stoi(samples, decoded, tessera.model.manifest.sampleRate);
  }
  return sum / sounds.length;
}
