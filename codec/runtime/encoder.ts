import { TesseraError } from '../../protocol/errors.js';
import { boundSample } from '../../protocol/pcm.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import { requireStreaming, type Manifest } from '../manifest.js';
import type { EncoderBatch } from './batch.js';
import { planRuns, requireSameModel } from './batchPlan.js';
import type { CodecModel } from './model.js';
import { SerialQueue } from './queue.js';
import { type CodecState, readFloats, readState, writeFloats, writeState, type StateOwner } from './state.js';
import { closedError, dropped } from './streamEnd.js';

/** One stream's share of {@link encodeBatch}. */
export interface EncodeItem {
  readonly encoder: StreamingEncoder;
  /** As {@link StreamingEncoder.push} takes them. */
  readonly pcm: Float32Array;
}

/** What the choice of depth goes by, frame by frame: see `AdaptiveDepth`. */
export interface FrameMeasures {
  /** Mean square of each frame's samples. */
  readonly levels: Float32Array;
  /**
   * Energy of what the first q codebooks leave of the latent, at `(q - 1) * frameCount + frame`, in the manifest's unit;
   * undefined where the model does not tell.
   */
  readonly residuals: Float32Array | undefined;
}

/** Frames with all codebooks. */
export interface EncodedBlock extends TokenBlock {
  /** Present where the encoder was made to measure. */
  readonly measures?: FrameMeasures;
}

/** An item under way. */
interface EncodeTask {
  readonly encoder: StreamingEncoder;
  readonly pcm: Float32Array;
  readonly firstFrameIndex: number;
  readonly frameCount: number;
  readonly codes: Uint16Array;
  readonly measures: FrameMeasures | undefined;
  framesDone: number;
}

/**
 * Turns one stream of samples into tokens. Pieces may have any length: the codes are those of the whole at once. Calls
 * may be made without waiting for earlier ones: they take effect in order.
 */
export class StreamingEncoder {
  /** Whether its blocks have {@link FrameMeasures}; may change between calls. */
  isMeasuring = false;
  readonly #model: CodecModel;
  readonly #queue = new SerialQueue();
  readonly #state: CodecState;
  #isClosed = false;
  /** Samples that do not yet make a frame: the first `#pendingCount` of a hop. */
  readonly #pending: Float32Array;
  #pendingCount = 0;
  #frameIndex = 0;
  /** Place in the stream right after the last sample that was pushed; the silence of flushes before it counts. */
  #inputEnd = 0;

  /** @throws TesseraError `not_streaming` for a model that is not causal. */
  constructor(model: CodecModel) {
    requireStreaming(model.manifest);
    this.#model = model;
    this.#state = model.encoderSlots.take();
    dropped.register(this, { slots: model.encoderSlots, state: this.#state }, this);
    this.#pending = new Float32Array(model.manifest.hop);
  }

  /**
   * Goes on from a state that {@link exportState} gave, maybe in another process.
   * @throws TesseraError `bad_codec_state` when it is damaged, or of a decoder or another model.
   */
  static import(model: CodecModel, bytes: Uint8Array): StreamingEncoder {
    const { frameIndex, state, fields } = readState(encoderOwner(model), bytes, (reader) => {
      const inputEnd = reader.varint('the end of its input');
      const pendingCount = reader.varint('its number of pending samples', 0, model.manifest.hop - 1);
      return { inputEnd, pending: readFloats(reader, pendingCount) };
    });
    const encoder = new StreamingEncoder(model);
    encoder.#state.set(state);
    encoder.#frameIndex = frameIndex;
    encoder.#inputEnd = fields.inputEnd;
    encoder.#pending.set(fields.pending);
    encoder.#pendingCount = fields.pending.length;
    return encoder;
  }

  /** See {@link encodeBatch}. */
  static async encodeBatch(items: readonly EncodeItem[]): Promise<(EncodedBlock | undefined)[]> {
    const encoders = items.map(({ encoder }) => encoder);
    requireSameModel(encoders);
    if (encoders.some((each) => each.#isClosed)) throw closedError();
    for (const { pcm } of items) requireFinite(pcm);
    return SerialQueue.run(
      encoders.map((encoder) => encoder.#queue),
      async () => {
        const blocks = await StreamingEncoder.#encode(items);
        for (const { encoder } of items) {
          encoder.#inputEnd = encoder.#frameIndex * encoder.#model.manifest.hop + encoder.#pendingCount;
        }
        return blocks;
      },
    );
  }

  /** The model that it runs. */
  get model(): CodecModel {
    return this.#model;
  }

  /** Index of the next frame: frames given so far. */
  get frameIndex(): number {
    return this.#frameIndex;
  }

  /** Samples that wait for the rest of their frame. */
  get pendingSamples(): number {
    return this.#pendingCount;
  }

  /**
   * Takes samples of any number: mono, at the model's rate, in [-1, 1] (what is beyond is clipped). They must not change
   * until the call has ended.
   * @returns the frames that are complete now; undefined when none is.
   * @throws TesseraError `bad_audio` for a sample that is not finite; nothing of the piece is taken then.
   */
  async push(pcm: Float32Array): Promise<EncodedBlock | undefined> {
    const [block] = await StreamingEncoder.encodeBatch([{ encoder: this, pcm }]);
    return block;
  }

  /**
   * Fills up with silence so that the decoder, which lags behind the tokens, can give back every sample so far. The
   * stream may go on afterwards; the silence is part of it then.
   * @returns the frames that this completes; undefined when none is missing.
   */
  async flush(): Promise<EncodedBlock | undefined> {
    if (this.#isClosed) throw closedError();
    return SerialQueue.run([this.#queue], async () => {
      const { hop, decoderDelaySamples } = this.#model.manifest;
      const frames = this.#inputEnd === 0 ? 0 : Math.ceil((this.#inputEnd + decoderDelaySamples) / hop);
      const missing = (frames - this.#frameIndex) * hop - this.#pendingCount;
      const [block] = await StreamingEncoder.#encode([
        { encoder: this, pcm: new Float32Array(Math.max(0, missing)) },
      ]);
      return block;
    });
  }

  /**
   * Ends the stream after the calls so far and gives its memory to the next one. A stream that is merely dropped gives
   * it back when it is collected. Safe to call again.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    dropped.unregister(this);
    const giveBack = (): void => this.#model.encoderSlots.giveBack(this.#state);
    if (this.#queue.idle) giveBack();
    else void SerialQueue.run([this.#queue], () => Promise.resolve()).then(giveBack);
  }

  /**
   * Everything that it takes to go on elsewhere, as bytes; the encoder itself can go on as well.
   * @throws TesseraError `bad_state` while a call is under way, and after {@link close}.
   */
  exportState(): Uint8Array {
    if (this.#isClosed) throw closedError();
    if (!this.#queue.idle) {
      throw new TesseraError('bad_state', 'The encoder is at work: await its calls before exportState()');
    }
    return writeState(encoderOwner(this.#model), this.#frameIndex, this.#state, (writer) => {
      writer.varint(this.#inputEnd).varint(this.#pendingCount);
      writeFloats(writer, this.#pending.subarray(0, this.#pendingCount));
    });
  }

  /** Runs until no item has a whole frame left; the caller has the turn of every stream. */
  static async #encode(items: readonly EncodeItem[]): Promise<(EncodedBlock | undefined)[]> {
    const [first] = items;
    if (first === undefined) return [];
    const model = first.encoder.#model;
    const { hop, quantizers } = model.manifest;
    const tasks = items.map(({ encoder, pcm }): EncodeTask => {
      const frameCount = Math.floor((encoder.#pendingCount + pcm.length) / hop);
      const codes = new Uint16Array(quantizers * frameCount);
      const measures = encoder.isMeasuring ? createMeasures(model, frameCount) : undefined;
      return {
        encoder,
        pcm,
        firstFrameIndex: encoder.#frameIndex,
        frameCount,
        codes,
        measures,
        framesDone: 0,
      };
    });
    for (let run = planRuns(tasks); run !== undefined; run = planRuns(tasks)) {
      const { rows, frames } = run;
      await model.sharedEncoderBatch.use(rows.length, frames, async (batch) => {
        rows.forEach(({ encoder, pcm, framesDone }, row) => {
          batch.loadState(row, encoder.#state);
          encoder.#load(batch, row, frames, pcm, framesDone * hop);
        });
        await model.runEncoder(batch, rows.length, frames);
        rows.forEach((task, row) => {
          batch.storeState(row, task.encoder.#state);
          task.encoder.#frameIndex += frames;
          storeRow(batch.codes, row, frames, task.codes, task, quantizers);
          storeMeasures(batch, row, frames, task, model.manifest);
          task.framesDone += frames;
        });
      });
    }
    return tasks.map(({ encoder, pcm, firstFrameIndex, frameCount, codes, measures }) => {
      encoder.#keepRest(pcm, frameCount * hop);
      if (frameCount === 0) return undefined;
      return { firstFrameIndex, frameCount, quantizers, codes, ...(measures && { measures }) };
    });
  }

  /** Copies `frames` frames of the pending samples followed by `pcm`, from `start` on, into a row. */
  #load(batch: EncoderBatch, row: number, frames: number, pcm: Float32Array, start: number): void {
    const { hop } = this.#model.manifest;
    const target = batch.pcm;
    const end = start + frames * hop;
    let to = row * frames * hop;
    for (let at = start; at < end; at += 1, to += 1) {
      const sample = (at < this.#pendingCount ? this.#pending[at] : pcm[at - this.#pendingCount]) ?? 0;
      target[to] = boundSample(sample);
    }
  }

  /** Keeps what follows the first `used` of the pending samples and `pcm` together: less than a frame. */
  #keepRest(pcm: Float32Array, used: number): void {
    const kept = used === 0 ? this.#pendingCount : 0;
    const rest = used === 0 ? pcm : pcm.subarray(used - this.#pendingCount);
    this.#pending.set(rest, kept);
    this.#pendingCount = kept + rest.length;
  }
}

/**
 * Encodes pieces of several streams together, which costs less than one after the other. Streams that have more whole
 * frames than others go on in smaller runs; for full runs, group pieces of equal length.
 * @returns for each item, in order, what {@link StreamingEncoder.push} would.
 * @throws TesseraError `bad_audio` for a sample that is not finite: nothing of any item is taken then. RangeError when
 * the encoders are of several models or one comes twice.
 */
export function encodeBatch(items: readonly EncodeItem[]): Promise<(EncodedBlock | undefined)[]> {
  return StreamingEncoder.encodeBatch(items);
}

function encoderOwner(model: CodecModel): StateOwner {
  return { side: 'encoder', digest: model.digest, graph: model.manifest.encoder };
}

/** Mean square of the samples of each frame, for as many frames as `levels` holds. */
export function frameLevels(pcm: Float32Array, hop: number, levels: Float32Array): void {
  for (let frame = 0; frame < levels.length; frame += 1) {
    let energy = 0;
    for (let at = frame * hop; at < (frame + 1) * hop; at += 1) energy += (pcm[at] ?? 0) ** 2;
    levels[frame] = energy / hop;
  }
}

/** @throws TesseraError `bad_audio` for a sample that is not finite, with its place. */
export function requireFinite(pcm: Float32Array): void {
  for (let at = 0; at < pcm.length; at += 1) {
    if (!Number.isFinite(pcm[at])) {
      throw new TesseraError('bad_audio', `Sample ${at} of the piece is ${pcm[at]}: samples must be finite`);
    }
  }
}

/** Room for the measures of so many frames. */
export function createMeasures({ manifest }: CodecModel, frameCount: number): FrameMeasures {
  const { encoder, quantizers } = manifest;
  return {
    levels: new Float32Array(frameCount),
    residuals: encoder.residualEnergy && new Float32Array(quantizers * frameCount),
  };
}

/** Copies a row of a run, [quantizers, frames], to its place among the frames of its task. */
function storeRow(
  from: Int32Array | Float32Array,
  row: number,
  frames: number,
  to: Uint16Array | Float32Array,
  { frameCount, framesDone }: EncodeTask,
  quantizers: number,
): void {
  for (let quantizer = 0; quantizer < quantizers; quantizer += 1) {
    const start = (row * quantizers + quantizer) * frames;
    const target = quantizer * frameCount + framesDone;
    // A few values each: views of them would cost more than the values.
    for (let frame = 0; frame < frames; frame += 1) to[target + frame] = from[start + frame] ?? 0;
  }
}

function storeMeasures(
  batch: EncoderBatch,
  row: number,
  frames: number,
  task: EncodeTask,
  { hop, quantizers }: Manifest,
): void {
  if (!task.measures) return;
  const { levels, residuals } = task.measures;
  const { framesDone } = task;
  frameLevels(batch.pcm.subarray(row * frames * hop), hop, levels.subarray(framesDone, framesDone + frames));
  if (batch.residuals && residuals) storeRow(batch.residuals, row, frames, residuals, task, quantizers);
}
