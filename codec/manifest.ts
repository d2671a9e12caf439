import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { isCodebookSize } from '../protocol/bitPacking.js';
import { TesseraError } from '../protocol/errors.js';
import type { ModelSummary } from '../protocol/serverMessages.js';
import { resolveModelDirectory } from './models.js';

/** The version of the codec contract that this code speaks; a manifest of another one is refused. */
export const CODEC_CONTRACT = 1;

/** The manifest's file name within a model's directory. */
export const MANIFEST_FILE = 'manifest.json';

const positive = z.int().positive();
/** In the model's folder, or in the folder of a sibling that shares the graph. */
const fileName = z
  .string()
  .regex(/^(\.\.\/[\w-]+\/)?[\w-][\w.-]*$/, 'must be a file name, or ../FOLDER/NAME of a sibling');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits');

const stateSchema = z.object({
  /** Name of the graph's input that takes the tensor. */
  input: z.string().min(1),
  /** Name of the graph's output that gives its successor. */
  output: z.string().min(1),
  /** Of one stream, without the batch dimension in front. */
  shape: z.array(positive).min(1),
  type: z.enum(['float32', 'int8']),
});

const fileSchema = z.object({
  file: fileName,
  /** Of the file, in lower-case hex. */
  sha256,
});

const graphSchema = fileSchema.extend({
  /** Every state tensor; all zeros start a stream. None where the model runs over windows. */
  states: z.array(stateSchema),
});

const encoderSchema = graphSchema.extend({
  /** Left out where the graph does not give it. */
  residualEnergy: z.optional(
    z.object({
      /** Name of the output, float32 [batch, quantizers, frames]: energy of what the first q codebooks leave of the latent. */
      output: z.string().min(1),
      /** What it is relative to: about the energy of a latent of speech, in the latent's own units. */
      reference: z.number().positive(),
    }),
  ),
});

const windowsSchema = z.object({
  /** Frames of one run, the margins included. */
  frames: positive,
  /** Of these, frames at each end that are only there as context for the others. */
  marginFrames: z.int().nonnegative(),
});

const manifestSchema = z
  .object({
    contract: z.literal(CODEC_CONTRACT),
    name: z.string().min(1),
    version: z.string().min(1),
    licence: z.string().min(1),
    /** Hz. */
    sampleRate: positive,
    /** Samples a frame. */
    hop: positive,
    /** Algorithmic delay of encoder and decoder together, in samples: framing plus overlap. */
    delaySamples: z.int().nonnegative(),
    /** The part of it by which the decoder's output lags the tokens' place in time. */
    decoderDelaySamples: z.int().nonnegative(),
    /** Codebooks. */
    quantizers: positive,
    /** Entries of each codebook. */
    codebookSize: z.int().refine(isCodebookSize, 'must be an integer from 2 to 65,536'),
    latentChannels: positive,
    /** Latent channels that each masked quantizer sees (MCRVQ); empty: plain residual quantization. */
    maskedGroups: z.array(positive),
    /**
     * Present where the model is not causal: it keeps no state and runs over whole recordings, in overlapped windows where
     * they are long. It has no live streams. Its decoder's `active` is [batch, quantizers, frames].
     */
    windows: windowsSchema.optional(),
    encoder: encoderSchema,
    decoder: graphSchema,
    /** Tables of the entropy coder; left out: tokens of the model are only packed. */
    entropy: fileSchema.optional(),
    /** Digests of other models whose tokens this one decodes too: their codebooks are the first of its own. */
    decodesTokensOf: z.array(sha256).optional(),
    trainingData: z.array(z.looseObject({ name: z.string() })),
  })
  .refine((manifest) => manifest.decoderDelaySamples <= manifest.delaySamples, {
    path: ['decoderDelaySamples'],
    message: 'must not be above delaySamples',
  })
  .refine((manifest) => manifest.maskedGroups.length <= manifest.quantizers, {
    path: ['maskedGroups'],
    message: 'must not have more groups than there are quantizers',
  })
  .refine((manifest) => sum(manifest.maskedGroups) <= manifest.latentChannels, {
    path: ['maskedGroups'],
    message: 'must not share out more than latentChannels',
  })
  .refine(({ windows }) => windows === undefined || 2 * windows.marginFrames < windows.frames, {
    path: ['windows', 'marginFrames'],
    message: 'must leave something of the window',
  })
  .refine(({ windows, encoder }) => (encoder.states.length === 0) === (windows !== undefined), {
    path: ['encoder', 'states'],
    message: 'must be empty where there are windows, and only there',
  })
  .refine(({ windows, decoder }) => (decoder.states.length === 0) === (windows !== undefined), {
    path: ['decoder', 'states'],
    message: 'must be empty where there are windows, and only there',
  });

/** Everything that code may know of a model: see the schema's fields. */
export type Manifest = Readonly<z.infer<typeof manifestSchema>>;
/** One half of a model: its file and its state tensors. */
export type GraphManifest = Readonly<z.infer<typeof graphSchema>>;

/**
 * Reads and checks `manifest.json` of a model, given by its bundled name or its folder. The files it names are not touched.
 * @throws TesseraError `unknown_model`; `bad_manifest` that names the file, and the field where one is wrong.
 */
export async function loadManifest(model?: string): Promise<Manifest> {
  const path = join(resolveModelDirectory(model), MANIFEST_FILE);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TesseraError('bad_manifest', `${path} cannot be read: ${reason}`, { cause });
  }
  return parseManifest(value, path);
}

/**
 * Checks a manifest that was read elsewhere; `subject` (its path) opens the error's sentence.
 * @throws TesseraError `bad_manifest` that names the field.
 */
export function parseManifest(value: unknown, subject: string): Manifest {
  const result = manifestSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new TesseraError(
    'bad_manifest',
    `${subject}: ${field === '' ? 'the manifest' : `field "${field}"`} is wrong: ${issue?.message ?? 'malformed'}`,
  );
}

/** @throws TesseraError `not_streaming` for a model that is not causal. */
export function requireStreaming({ name, windows, ...manifest }: Manifest): void {
  if (windows === undefined) return;
  const seconds = Math.round(delayMs(manifest) / 100) / 10;
  throw new TesseraError(
    'not_streaming',
    `The model ${name} is not causal, with a delay of ${seconds} s: it encodes and decodes recordings, but no live streams. ` +
      'Take another one for these',
  );
}

/** Frames a second. */
export function frameRate(manifest: Pick<Manifest, 'sampleRate' | 'hop'>): number {
  return manifest.sampleRate / manifest.hop;
}

/** Algorithmic delay from input to output in milliseconds. */
export function delayMs(manifest: Pick<Manifest, 'sampleRate' | 'delaySamples'>): number {
  return (1000 * manifest.delaySamples) / manifest.sampleRate;
}

/** What clients are told of a model: enough to read tokens and to place samples in time. */
export function summarizeManifest(manifest: Manifest, digest: string): ModelSummary {
  return {
    name: manifest.name,
    version: manifest.version,
    digest,
    sampleRate: manifest.sampleRate,
    hop: manifest.hop,
    frameRate: frameRate(manifest),
    quantizers: manifest.quantizers,
    codebookSize: manifest.codebookSize,
    delaySamples: manifest.delaySamples,
    decoderDelaySamples: manifest.decoderDelaySamples,
    ...(manifest.entropy && { entropyDigest: manifest.entropy.sha256 }),
  };
}

/** Values that one stream's tensor of this shape holds. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
