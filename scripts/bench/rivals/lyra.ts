import { join } from 'node:path';
import { Tensor, type CompiledModel } from '@litertjs/core';
import { StreamingResampler } from '../../../codec/index.js';
import { compileLiteRt } from './liteRt.js';
import type { Coded, Rival } from './rival.js';

/** Lyra v2: 16 kHz, frames of 20 ms, residual quantizers of 4 bits, all of them in one tensor (github.com/google/lyra). */
const SAMPLE_RATE = 16_000;
const FRAME_SAMPLES = 320;
const ALL_QUANTIZERS = 46;
const BITS_PER_QUANTIZER = 4;
/** Those of its three bitrates, in kbit/s. */
const QUANTIZERS = [
  [3.2, 16],
  [6, 30],
  [9.2, 46],
] as const;

interface Models {
  readonly encoder: CompiledModel;
  readonly quantizer: CompiledModel;
  readonly decoder: CompiledModel;
}

/** Lyra v2 by its own model files: `folder` holds soundstream_encoder, quantizer and lyragan, each as .tflite. */
export function lyraRival(folder: string | undefined): Rival {
  const name = 'Lyra v2';
  if (folder === undefined) return { name, rows: [], absence: 'its model files are named by --lyra FOLDER' };
  return {
    name,
    rows: QUANTIZERS.map(([kbps, quantizers]) => ({
      name: `${name} ${kbps}`,
      family: name,
      code: (speech, sampleRate) => codeByLyra(folder, quantizers, speech, sampleRate),
    })),
  };
}

async function codeByLyra(
  folder: string,
  quantizers: number,
  speech: Float32Array,
  sampleRate: number,
): Promise<Coded> {
  const wide = await resample(speech, sampleRate, SAMPLE_RATE);
  const frameCount = Math.ceil(wide.length / FRAME_SAMPLES);
  const padded = new Float32Array(frameCount * FRAME_SAMPLES);
  padded.set(wide);
  // The graphs keep the state of a stream in variables that nothing resets.
  const models = await openModels(folder);
  const output = new Float32Array(padded.length);
  const start = performance.now();
  try {
    for (let at = 0; at < padded.length; at += FRAME_SAMPLES) {
      output.set(await codeFrame(models, quantizers, padded.slice(at, at + FRAME_SAMPLES)), at);
    }
  } finally {
    for (const model of Object.values(models) as CompiledModel[]) model.delete();
  }
  const workMs = performance.now() - start;
  return {
    samples: await resample(output, SAMPLE_RATE, sampleRate),
    bits: frameCount * quantizers * BITS_PER_QUANTIZER,
    workMs,
  };
}

async function openModels(folder: string): Promise<Models> {
  return {
    encoder: await compileLiteRt(join(folder, 'soundstream_encoder.tflite')),
    quantizer: await compileLiteRt(join(folder, 'quantizer.tflite')),
    decoder: await compileLiteRt(join(folder, 'lyragan.tflite')),
  };
}

async function codeFrame(models: Models, quantizers: number, frame: Float32Array): Promise<Float32Array> {
  const features = await runModel(models.encoder, 'serving_default', {
    input_audio: new Tensor(frame, [1, FRAME_SAMPLES]),
  });
  const indices = await runModel(models.quantizer, 'encode', {
    num_quantizers: new Tensor(Int32Array.of(quantizers), []),
    input_frames: new Tensor(features, [1, 1, features.length]),
  });
  // What is not sent is -1.
  const sent = Int32Array.from({ length: ALL_QUANTIZERS }, (_, at) =>
    at < quantizers ? (indices[at] ?? -1) : -1,
  );
  const heard = await runModel(models.quantizer, 'decode', {
    encoding_indices: new Tensor(sent, [ALL_QUANTIZERS, 1, 1]),
  });
  const sound = await runModel(models.decoder, 'serving_default', {
    input_audio: new Tensor(heard, [1, 1, heard.length]),
  });
  return sound as Float32Array;
}

/** Runs a signature and frees all tensors. @returns a copy of its first output. */
async function runModel(
  model: CompiledModel,
  signature: string,
  inputs: Record<string, Tensor>,
): Promise<Float32Array | Int32Array> {
  const outputs = await model.run(signature, inputs);
  const output = outputs['output_0'];
  if (output === undefined)
    throw new Error(`${signature} has no output_0: these are not the models of Lyra v2`);
  const values = output.toTypedArray().slice() as Float32Array | Int32Array;
  for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
  return values;
}

async function resample(samples: Float32Array, inputRate: number, outputRate: number): Promise<Float32Array> {
  const resampler = await StreamingResampler.create(inputRate, outputRate);
  const pieces = [resampler.push(samples), resampler.flush()];
  resampler.close();
  return Float32Array.from(pieces.flatMap((piece) => [...piece]));
}
