import { TesseraError } from '../../protocol/errors.js';
import type { TokenBlock } from '../../protocol/tokens.js';
import { requireStreaming, type Manifest } from '../manifest.js';
import type { DecoderBatch } from './batch.js';
import { planRuns, requireSameModel } from './batchPlan.js';
import { concealmentFrames, fade } from './concealment.js';
import type { CodecModel } from './model.js';
import { SerialQueue } from './queue.js';
import { type CodecState, readState, writeState, type StateOwner } from './state.js';
import { closedError, dropped } from './streamEnd.js';

/** One stream's share of {@link decodeBatch}: frames that came, or a count of frames that did not. */
export type DecodeItem =
  | { readonly decoder: StreamingDecoder; readonly block: TokenBlock }
  | { readonly decoder: StreamingDecoder; readonly lostFrames: number };

/** The codes of one frame. */
export interface FrameCodes {
  readonly quantizers: number;
  readonly codes: Uint16Array;
}

/** An item under way: its first `frameCount` frames are decoded, those after them are silence. */
interface DecodeTask {
  readonly decoder: StreamingDecoder;
  readonly source: TokenBlock | FrameCodes | undefined;
  readonly frameCount: number;
  readonly pcm: Float32Array;
  framesDone: number;
}

/**
 * Turns one stream of tokens back into samples. Blocks may have any number of frames, and of quantizers, which may change
 * from block to block. The output lags the tokens' place in time by `manifest.decoderDelaySamples`: so many samples at a
 * stream's start are warm-up. Calls may be made without waiting for earlier ones: they take effect in order.
 */
export class StreamingDecoder {
  readonly #model: CodecModel;
  readonly #queue = new SerialQueue();
  readonly #state: CodecState;
  #isClosed = false;
  #frameIndex = 0;
  /** The last frame that came; undefined at the start and after silence. */
  #lastFrame: FrameCodes | undefined;
  /** Frames concealed since then. */
  #concealedFrames = 0;

  /** @throws TesseraError `not_streaming` for a model that is not causal. */
  constructor(model: CodecModel) {
    requireStreaming(model.manifest);
    this.#model = model;
    this.#state = model.decoderSlots.take();
    dropped.register(this, { slots: model.decoderSlots, state: this.#state }, this);
  }

  /**
   * Goes on from a state that {@link exportState} gave, maybe in another process.
   * @throws TesseraError `bad_codec_state` when it is damaged, or of an encoder or another model.
   */
  static import(model: CodecModel, bytes: Uint8Array): StreamingDecoder {
    const { manifest } = model;
    const { frameIndex, state, fields } = readState(decoderOwner(model), bytes, (reader) => {
      const concealedFrames = reader.varint('its concealed frames', 0, concealmentFrames(manifest) - 1);
      const quantizers = reader.varint('the quantizers of its last frame', 0, manifest.quantizers);
      const codes = new Uint16Array(quantizers);
      for (let at = 0; at < quantizers; at += 1)
        codes[at] = reader.varint('a code', 0, manifest.codebookSize - 1);
      return { concealedFrames, lastFrame: quantizers === 0 ? undefined : { quantizers, codes } };
    });
    const decoder = new StreamingDecoder(model);
    decoder.#state.set(state);
    decoder.#frameIndex = frameIndex;
    decoder.#lastFrame = fields.lastFrame;
    decoder.#concealedFrames = fields.concealedFrames;
    return decoder;
  }

  /** See {@link decodeBatch}. */
  static async decodeBatch(items: readonly DecodeItem[]): Promise<Float32Array[]> {
    const decoders = items.map(({ decoder }) => decoder);
    requireSameModel(decoders);
    if (decoders.some((each) => each.#isClosed)) throw closedError();
    return SerialQueue.run(
      decoders.map((decoder) => decoder.#queue),
      async () => {
        const tasks = items.map((item) => item.decoder.#createTask(item));
        await StreamingDecoder.#decode(tasks);
        items.forEach((item, index) => {
          const task = tasks[index];
          if (task) item.decoder.#finish(item, task);
        });
        return tasks.map(({ pcm }) => pcm);
      },
    );
  }

  /** The model that it runs. */
  get model(): CodecModel {
    return this.#model;
  }

  /** Index of the frame that must come next. */
  get frameIndex(): number {
    return this.#frameIndex;
  }

  /**
   * Decodes the next frames.
   * @returns `frameCount * hop` samples in [-1, 1].
   * @throws TesseraError `bad_tokens` when the block does not begin at {@link frameIndex}, has no quantizer or more
   * than the model, or a code outside the codebook; the stream is as before then.
   */
  async push(block: TokenBlock): Promise<Float32Array> {
    const [pcm] = await StreamingDecoder.decodeBatch([{ decoder: this, block }]);
    return pcm ?? new Float32Array(0);
  }

  /**
   * Stands in for frames that were lost, so that what follows keeps its place in time: the last frame is repeated and
   * fades out within 100 ms, then there is silence, after which the stream begins as a new one.
   * @returns `frameCount * hop` samples.
   * @throws TesseraError `bad_tokens` when the count is not an integer from 0 up.
   */
  async skip(frameCount: number): Promise<Float32Array> {
    const [pcm] = await StreamingDecoder.decodeBatch([{ decoder: this, lostFrames: frameCount }]);
    return pcm ?? new Float32Array(0);
  }

  /**
   * Ends the stream after the calls so far and gives its memory to the next one. A stream that is merely dropped gives
   * it back when it is collected. Safe to call again.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    dropped.unregister(this);
    const giveBack = (): void => this.#model.decoderSlots.giveBack(this.#state);
    if (this.#queue.idle) giveBack();
    else void SerialQueue.run([this.#queue], () => Promise.resolve()).then(giveBack);
  }

  /**
   * Everything that it takes to go on elsewhere, as bytes; the decoder itself can go on as well.
   * @throws TesseraError `bad_state` while a call is under way, and after {@link close}.
   */
  exportState(): Uint8Array {
    if (this.#isClosed) throw closedError();
    if (!this.#queue.idle) {
      throw new TesseraError('bad_state', 'The decoder is at work: await its calls before exportState()');
    }
    return writeState(decoderOwner(this.#model), this.#frameIndex, this.#state, (writer) => {
      writer.varint(this.#concealedFrames).varint(this.#lastFrame?.quantizers ?? 0);
      for (const code of this.#lastFrame?.codes ?? []) writer.varint(code);
    });
  }

  /** Checks an item against the stream and makes room for its output. */
  #createTask(item: DecodeItem): DecodeTask {
    const { manifest } = this.#model;
    if ('block' in item) {
      requireBlock(item.block, manifest, this.#frameIndex);
      const { frameCount } = item.block;
      const pcm = new Float32Array(frameCount * manifest.hop);
      return { decoder: this, source: item.block, frameCount, pcm, framesDone: 0 };
    }
    const { lostFrames } = item;
    if (!Number.isSafeInteger(lostFrames) || lostFrames < 0) {
      throw new TesseraError('bad_tokens', `${lostFrames} frames cannot be lost`);
    }
    const left = this.#lastFrame ? concealmentFrames(manifest) - this.#concealedFrames : 0;
    return {
      decoder: this,
      source: this.#lastFrame,
      frameCount: Math.min(left, lostFrames),
      pcm: new Float32Array(lostFrames * manifest.hop),
      framesDone: 0,
    };
  }

  static async #decode(tasks: readonly DecodeTask[]): Promise<void> {
    const [first] = tasks;
    if (first === undefined) return;
    const model = first.decoder.#model;
    const { hop } = model.manifest;
    for (let run = planRuns(tasks); run !== undefined; run = planRuns(tasks)) {
      const { rows, frames } = run;
      await model.sharedDecoderBatch.use(rows.length, frames, async (batch) => {
        rows.forEach((task, row) => {
          batch.loadState(row, task.decoder.#state);
          loadCodes(batch, row, frames, task, model.manifest.quantizers);
        });
        await model.runDecoder(batch, rows.length, frames);
        rows.forEach((task, row) => {
          batch.storeState(row, task.decoder.#state);
          const from = row * frames * hop;
          task.pcm.set(batch.pcm.subarray(from, from + frames * hop), task.framesDone * hop);
          task.framesDone += frames;
        });
      });
    }
  }

  /** Applies the fades of concealment and moves on. */
  #finish(item: DecodeItem, { pcm, frameCount }: DecodeTask): void {
    const { hop } = this.#model.manifest;
    const fadeFrames = concealmentFrames(this.#model.manifest);
    if ('block' in item) {
      const { block } = item;
      if (frameCount === 0) return;
      const gain = 1 - this.#concealedFrames / fadeFrames;
      if (this.#concealedFrames > 0) fade(pcm.subarray(0, hop), gain, 1);
      this.#frameIndex += frameCount;
      this.#lastFrame = frameCodes(block, frameCount - 1);
      this.#concealedFrames = 0;
      return;
    }
    this.#frameIndex += item.lostFrames;
    if (this.#lastFrame === undefined) return;
    const before = this.#concealedFrames;
    this.#concealedFrames += frameCount;
    fade(pcm.subarray(0, frameCount * hop), 1 - before / fadeFrames, 1 - this.#concealedFrames / fadeFrames);
    if (this.#concealedFrames === fadeFrames) {
      this.#state.clear();
      this.#lastFrame = undefined;
      this.#concealedFrames = 0;
    }
  }
}

/**
 * Decodes frames of several streams together, which costs less than one after the other. Streams that have more frames
 * than others go on in smaller runs; for full runs, group blocks of equal length.
 * @returns for each item, in order, what {@link StreamingDecoder.push} or {@link StreamingDecoder.skip} would.
 * @throws TesseraError `bad_tokens` as those do: every stream is as before then. RangeError when the decoders are of
 * several models or one comes twice.
 */
export function decodeBatch(items: readonly DecodeItem[]): Promise<Float32Array[]> {
  return StreamingDecoder.decodeBatch(items);
}

function decoderOwner(model: CodecModel): StateOwner {
  return { side: 'decoder', digest: model.digest, graph: model.manifest.decoder };
}

/** @throws TesseraError `bad_tokens` for a block that does not begin at `frameIndex`, or does not fit the model. */
export function requireBlock(block: TokenBlock, manifest: Manifest, frameIndex: number): void {
  const fail = (problem: string): TesseraError => new TesseraError('bad_tokens', `The block ${problem}`);
  const { firstFrameIndex, frameCount, quantizers, codes } = block;
  if (firstFrameIndex !== frameIndex) {
    throw fail(`begins at frame ${firstFrameIndex}, but ${frameIndex} is next: skip() what is lost between`);
  }
  if (!Number.isInteger(quantizers) || quantizers < 1 || quantizers > manifest.quantizers) {
    throw fail(`has ${quantizers} quantizers; the model has 1 to ${manifest.quantizers}`);
  }
  if (!Number.isInteger(frameCount) || frameCount < 0 || codes.length !== quantizers * frameCount) {
    throw fail(`has ${codes.length} codes, which is not ${quantizers} for each of ${frameCount} frames`);
  }
  const wrong = codes.findIndex((code) => code >= manifest.codebookSize);
  if (wrong >= 0)
    throw fail(`has the code ${codes[wrong]}, outside the codebook of ${manifest.codebookSize}`);
}

/** One frame out of a block; `frame` counts from the block's first. */
export function frameCodes({ quantizers, frameCount, codes }: TokenBlock, frame: number): FrameCodes {
  return {
    quantizers,
    codes: Uint16Array.from(
      { length: quantizers },
      (_, quantizer) => codes[quantizer * frameCount + frame] ?? 0,
    ),
  };
}

/** Puts the next `frames` frames of a task into a row; a lone frame is repeated. */
function loadCodes(
  batch: DecoderBatch,
  row: number,
  frames: number,
  { source, framesDone }: DecodeTask,
  modelQuantizers: number,
): void {
  for (let quantizer = 0; quantizer < modelQuantizers; quantizer += 1) {
    const at = row * modelQuantizers + quantizer;
    const to = at * frames;
    const active = source !== undefined && quantizer < source.quantizers;
    batch.active[at] = active ? 1 : 0;
    if (!active) batch.codes.fill(0, to, to + frames);
    else if ('frameCount' in source) {
      const from = quantizer * source.frameCount + framesDone;
      for (let frame = 0; frame < frames; frame += 1)
        batch.codes[to + frame] = source.codes[from + frame] ?? 0;
    } else batch.codes.fill(source.codes[quantizer] ?? 0, to, to + frames);
  }
}
