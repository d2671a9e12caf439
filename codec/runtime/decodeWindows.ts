import type { TokenBlock } from '../../protocol/tokens.js';
import type { DecoderBatch } from './batch.js';
import { concealmentFrames, fade } from './concealment.js';
import { frameCodes, requireBlock, type FrameCodes } from './decoder.js';
import type { CodecModel } from './model.js';
import { nextWindow, type FrameWindow } from './windowPlan.js';

/** What comes next of a recording: frames, or a count of frames that are missing. */
export type DecodeStep = { readonly block: TokenBlock } | { readonly lostFrames: number };

/** A frame, or what stands in for it. */
interface WindowFrame {
  /** Undefined before the first frame that came. */
  readonly codes: FrameCodes | undefined;
  /** Of its samples, in a straight line from one to the other. */
  readonly fromGain: number;
  readonly toGain: number;
}

const SILENCE: WindowFrame = { codes: undefined, fromGain: 0, toGain: 0 };

/**
 * Decodes a recording with a model that is not causal, in overlapped windows. Missing frames repeat the last one and fade
 * out, as `StreamingDecoder.skip` does. A window's samples come when the margin behind it is there.
 * @throws TesseraError `bad_tokens` for a block that does not fit the model. RangeError for a model without windows.
 */
export async function* decodeWindows(
  model: CodecModel,
  steps: AsyncIterable<DecodeStep>,
): AsyncGenerator<Float32Array> {
  const { manifest } = model;
  const { windows } = manifest;
  if (windows === undefined) throw new RangeError('The model does not run over windows');
  /** Those from frame `first` on; never more than a window and a step. */
  const kept: { frames: WindowFrame[]; first: number } = { frames: [], first: 0 };
  let done = 0;
  const fadeFrames = concealmentFrames(manifest);
  let last: WindowFrame = { codes: undefined, fromGain: 0, toGain: 1 };
  /** Frames missing since the last one that came. */
  let lostFrames = 0;
  const add = (codes: FrameCodes | undefined): void => {
    const toGain = Math.max(0, 1 - lostFrames / fadeFrames);
    last = codes ? { codes, fromGain: last.toGain, toGain } : SILENCE;
    kept.frames.push(last);
  };
  const next = (isEnd: boolean): FrameWindow | undefined =>
    nextWindow(windows, { received: kept.first + kept.frames.length, done, isEnd });
  const run = async (window: FrameWindow): Promise<Float32Array> => {
    const pcm = await decodeWindow(model, kept.frames, window);
    done = window.takeEnd;
    const first = Math.max(0, done - windows.marginFrames);
    kept.frames.splice(0, first - kept.first);
    kept.first = first;
    return pcm;
  };
  for await (const step of steps) {
    if ('block' in step) {
      requireBlock(step.block, manifest, kept.first + kept.frames.length);
      if (step.block.frameCount > 0) lostFrames = 0;
      for (let frame = 0; frame < step.block.frameCount; frame += 1) add(frameCodes(step.block, frame));
    } else {
      for (let frame = 0; frame < step.lostFrames; frame += 1) {
        lostFrames += 1;
        add(last.codes);
      }
    }
    for (let window = next(false); window !== undefined; window = next(false)) yield await run(window);
  }
  for (let window = next(true); window !== undefined; window = next(true)) yield await run(window);
}

/** `frames` begin at the window's first frame. */
function decodeWindow(
  model: CodecModel,
  frames: readonly WindowFrame[],
  { start, end, takeStart, takeEnd }: FrameWindow,
): Promise<Float32Array> {
  const { hop, quantizers } = model.manifest;
  const count = end - start;
  return model.sharedDecoderBatch.use(1, count, async (batch) => {
    for (let frame = 0; frame < count; frame += 1)
      loadFrame(batch, frames[frame]?.codes, frame, count, quantizers);
    await model.runDecoder(batch, 1, count);
    const pcm = batch.pcm.slice((takeStart - start) * hop, (takeEnd - start) * hop);
    for (let frame = takeStart; frame < takeEnd; frame += 1) {
      const { fromGain, toGain } = frames[frame - start] ?? { fromGain: 1, toGain: 1 };
      const at = (frame - takeStart) * hop;
      if (fromGain !== 1 || toGain !== 1) fade(pcm.subarray(at, at + hop), fromGain, toGain);
    }
    return pcm;
  });
}

function loadFrame(
  batch: DecoderBatch,
  frame: FrameCodes | undefined,
  at: number,
  count: number,
  quantizers: number,
): void {
  for (let quantizer = 0; quantizer < quantizers; quantizer += 1) {
    const isActive = frame !== undefined && quantizer < frame.quantizers;
    batch.active[quantizer * count + at] = isActive ? 1 : 0;
    batch.codes[quantizer * count + at] = isActive ? (frame.codes[quantizer] ?? 0) : 0;
  }
}
