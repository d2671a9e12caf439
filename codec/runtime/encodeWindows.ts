import { boundSample } from '../../protocol/pcm.js';
import { createMeasures, frameLevels, requireFinite, type EncodedBlock } from './encoder.js';
import type { CodecModel } from './model.js';
import { nextWindow, takeFrames, type FrameWindow } from './windowPlan.js';

/**
 * Encodes a recording with a model that is not causal, in overlapped windows; its end is filled up with silence to a whole
 * frame. A window's tokens come when the margin behind it is there.
 * @throws TesseraError `bad_audio` for a sample that is not finite. RangeError for a model without windows.
 */
export async function* encodeWindows(
  model: CodecModel,
  pieces: AsyncIterable<Float32Array>,
  isMeasuring: boolean,
): AsyncGenerator<EncodedBlock> {
  const { windows, hop } = model.manifest;
  if (windows === undefined) throw new RangeError('The model does not run over windows');
  /** Samples from frame `first` on, `count` of them; never more than a window. */
  const kept = { pcm: new Float32Array(windows.frames * hop), first: 0, count: 0 };
  let done = 0;
  const next = (isEnd: boolean): FrameWindow | undefined =>
    nextWindow(windows, { received: kept.first + kept.count / hop, done, isEnd });
  const run = async (window: FrameWindow): Promise<EncodedBlock> => {
    const block = await encodeWindow(model, kept.pcm, window, isMeasuring);
    done = window.takeEnd;
    const dropped = Math.max(0, done - windows.marginFrames - kept.first);
    kept.pcm.copyWithin(0, dropped * hop, kept.count);
    kept.first += dropped;
    kept.count -= dropped * hop;
    return block;
  };
  for await (const piece of pieces) {
    requireFinite(piece);
    for (const sample of piece) {
      kept.pcm[kept.count] = boundSample(sample);
      kept.count += 1;
      const window = kept.count % hop === 0 ? next(false) : undefined;
      if (window) yield await run(window);
    }
  }
  const padded = Math.ceil(kept.count / hop) * hop;
  kept.pcm.fill(0, kept.count, padded);
  kept.count = padded;
  for (let window = next(true); window !== undefined; window = next(true)) yield await run(window);
}

/** `pcm` begins at the window's first frame. */
function encodeWindow(
  model: CodecModel,
  pcm: Float32Array,
  window: FrameWindow,
  isMeasuring: boolean,
): Promise<EncodedBlock> {
  const { hop, quantizers } = model.manifest;
  const frames = window.end - window.start;
  const frameCount = window.takeEnd - window.takeStart;
  return model.sharedEncoderBatch.use(1, frames, async (batch) => {
    batch.pcm.set(pcm.subarray(0, frames * hop));
    await model.runEncoder(batch, 1, frames);
    const block = { firstFrameIndex: window.takeStart, frameCount, quantizers };
    const codes = new Uint16Array(quantizers * frameCount);
    takeFrames(batch.codes, window, codes, quantizers);
    if (!isMeasuring) return { ...block, codes };
    const measures = createMeasures(model, frameCount);
    frameLevels(batch.pcm.subarray((window.takeStart - window.start) * hop), hop, measures.levels);
    if (batch.residuals && measures.residuals) {
      takeFrames(batch.residuals, window, measures.residuals, quantizers);
    }
    return { ...block, codes, measures };
  });
}
