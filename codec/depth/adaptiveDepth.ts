import { TesseraError } from '../../protocol/errors.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import type { EncodedBlock, FrameMeasures } from '../runtime/encoder.js';
import { splitByDepth } from './splitByDepth.js';

/** Levels are in dB of full scale. What nobody hears of a room at a usual volume. */
const FLOOR_DB = -75;
/** The recent peak falls by so much a second, and not below this level. */
const PEAK_FALL_DB_PER_SECOND = 1;
const LOWEST_PEAK_DB = -45;
/** The room's noise is the least level of late; the estimate rises by so much a second, and not above this level. */
const NOISE_RISE_DB_PER_SECOND = 1;
const HIGHEST_NOISE_DB = -50;
/** What is within so much of the room's noise is a pause. */
const NOISE_RANGE_DB = 6;
/** So far below the peak a frame is a pause; over the strength. */
const PAUSE_RANGE_DB = 40;
/** Frames from the peak to so far below tell what residual full depth leaves of speech. */
const LOUD_RANGE_DB = 20;
/** Frames that this mean goes back. */
const LOUD_FRAMES = 100;
/** A rise by so much from one frame to the next is an onset: it and the frame after it get no slack. */
const ONSET_DB = 8;
const ONSET_FRAMES = 2;
/** Residual that may stay beyond that of full depth, in dB: at the peak, and for each dB below it; times the strength. */
const PEAK_SLACK_DB = 0.5;
const SLACK_PER_DB = 0.12;

/** The greatest strength. */
export const MAX_DEPTH_STRENGTH = 4;

/** How the choice is made. */
export interface AdaptiveDepthOptions {
  /** Frames a second. */
  readonly frameRate: number;
  /** 0 to {@link MAX_DEPTH_STRENGTH}: the greater, the fewer codebooks; 0.5 when left out. */
  readonly strength?: number;
}

/** Bounds of the choice. */
export interface DepthBounds {
  readonly minQuantizers: number;
  readonly maxQuantizers: number;
}

/** Fields of the state. */
const LEVEL = 0;
const PEAK = 1;
const NOISE = 2;
const TARGET = 3;
const LOUD_COUNT = 4;
const ONSET_LEFT = 5;
const STATE_FIELDS = 6;

/**
 * Chooses how many codebooks each frame of a stream gets, in one pass and without looking ahead: few for pauses and where
 * few leave no more than full depth leaves of loud speech, all for onsets and what is hard to code. The quality aimed at
 * is that of all frames at the bound's maximum. After KARL (arXiv 2507.07995) and dynamic quantization (arXiv 2305.11718),
 * with a rule in place of their networks: the quieter a frame beside what was just heard, the more residual it may keep.
 */
export class AdaptiveDepth {
  readonly #frameRate: number;
  readonly #strength: number;
  /** In float32, so that a saved state goes on exactly. */
  readonly #state = Float32Array.of(FLOOR_DB, LOWEST_PEAK_DB, HIGHEST_NOISE_DB, 0, 0, 0);

  /** @throws TesseraError `bad_options` for a strength out of range. */
  constructor({ frameRate, strength = 0.5 }: AdaptiveDepthOptions) {
    if (!(strength >= 0 && strength <= MAX_DEPTH_STRENGTH)) {
      throw new TesseraError(
        'bad_options',
        `The strength of adaptive depth is 0 to ${MAX_DEPTH_STRENGTH}, not ${strength}`,
      );
    }
    this.#frameRate = frameRate;
    this.#strength = strength;
  }

  /**
   * The next frames of the stream, cut to the depths chosen: successive blocks, one for each run of frames of equal depth.
   * @throws RangeError for a block without measures.
   */
  cut(block: EncodedBlock, bounds: DepthBounds): TokenBlock[] {
    if (block.measures === undefined) throw new RangeError('The block was encoded without measures');
    return splitByDepth(block, this.choose(block.measures, bounds));
  }

  /** The depth of each of the next frames, within the bounds. Without residuals, pauses get the least and all else the most. */
  choose({ levels, residuals }: FrameMeasures, bounds: DepthBounds): Uint8Array {
    return Uint8Array.from(levels, (level, frame) => {
      const residualDb = (depth: number): number => {
        if (residuals) return toDb(residuals[(depth - 1) * levels.length + frame] ?? Infinity);
        return depth < bounds.maxQuantizers ? Infinity : 0;
      };
      return this.#chooseFrame(toDb(level), residualDb, bounds);
    });
  }

  /** Little-endian float32 values, for {@link importState}. */
  exportState(): Uint8Array {
    const bytes = new Uint8Array(4 * STATE_FIELDS);
    const view = new DataView(bytes.buffer);
    this.#state.forEach((value, field) => view.setFloat32(4 * field, value, true));
    return bytes;
  }

  /** Goes on from an exported state. @throws TesseraError `bad_codec_state` when it is none. */
  importState(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const values = Array.from({ length: Math.floor(bytes.length / 4) }, (_, field) =>
      view.getFloat32(4 * field, true),
    );
    if (bytes.length !== 4 * STATE_FIELDS || !values.every(Number.isFinite)) {
      throw new TesseraError('bad_codec_state', 'The state of adaptive depth is damaged');
    }
    this.#state.set(values);
  }

  #chooseFrame(levelDb: number, residualDb: (depth: number) => number, bounds: DepthBounds): number {
    const { minQuantizers, maxQuantizers } = bounds;
    // A frame's tokens also shape the end of the frame before.
    const heardDb = Math.max(levelDb, this.#get(LEVEL));
    const isOnset = this.#follow(levelDb);
    const belowDb = this.#get(PEAK) - heardDb;
    if (belowDb <= LOUD_RANGE_DB) this.#learn(residualDb(maxQuantizers));
    if (isOnset) return maxQuantizers;
    const isPause =
      heardDb <= FLOOR_DB ||
      heardDb <= this.#get(NOISE) + NOISE_RANGE_DB ||
      belowDb * Math.max(1, this.#strength) > PAUSE_RANGE_DB;
    if (isPause) return minQuantizers;
    const slackDb = this.#strength * (PEAK_SLACK_DB + SLACK_PER_DB * belowDb);
    const allowedDb = this.#get(TARGET) + slackDb;
    for (let depth = minQuantizers; depth < maxQuantizers; depth += 1) {
      if (this.#get(LOUD_COUNT) > 0 && residualDb(depth) <= allowedDb) return depth;
    }
    return maxQuantizers;
  }

  /** Takes a frame's level into peak and noise. @returns whether the frame belongs to an onset. */
  #follow(levelDb: number): boolean {
    const riseDb = levelDb - this.#get(LEVEL);
    this.#state[LEVEL] = levelDb;
    const fallen = Math.max(LOWEST_PEAK_DB, this.#get(PEAK) - PEAK_FALL_DB_PER_SECOND / this.#frameRate);
    this.#state[PEAK] = Math.max(levelDb, fallen);
    const risen = this.#get(NOISE) + NOISE_RISE_DB_PER_SECOND / this.#frameRate;
    const wasNoise = levelDb <= this.#get(NOISE) + NOISE_RANGE_DB;
    this.#state[NOISE] = Math.max(FLOOR_DB, Math.min(levelDb, risen, HIGHEST_NOISE_DB));
    if (riseDb >= ONSET_DB && !wasNoise && levelDb > FLOOR_DB) this.#state[ONSET_LEFT] = ONSET_FRAMES;
    const left = this.#get(ONSET_LEFT);
    this.#state[ONSET_LEFT] = Math.max(0, left - 1);
    return left > 0;
  }

  #learn(residualDb: number): void {
    const count = Math.min(LOUD_FRAMES, this.#get(LOUD_COUNT) + 1);
    this.#state[LOUD_COUNT] = count;
    this.#state[TARGET] = this.#get(TARGET) + (residualDb - this.#get(TARGET)) / count;
  }

  #get(field: number): number {
    return this.#state[field] ?? 0;
  }
}

/** Of an energy; silence is -120. */
function toDb(energy: number): number {
  return 10 * Math.log10(Math.max(1e-12, energy));
}
