import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { InferenceSession } from 'onnxruntime-node';
import { TesseraError } from '../../protocol/errors.js';
import type { ModelSummary } from '../../protocol/serverMessages.js';
import { frameRate, loadManifest, summarizeManifest, type Manifest } from '../manifest.js';
import { resolveModelDirectory } from '../models.js';
import { DecoderBatch, EncoderBatch } from './batch.js';
import { readVerified } from './verifiedFile.js';
import { bucketRows } from './batchPlan.js';
import { checkSession, createSession, runGraph, type GraphContract } from './graph.js';
import { probeProvider, PROVIDERS, type Provider, type ProviderFailure } from './providers.js';
import { SharedBatch } from './sharedBatch.js';
import { StateSlots } from './stateSlots.js';

/** What {@link CodecModel.load} may be told. */
export interface LoadModelOptions {
  /** Name of a bundled model, or the folder of a `manifest.json`; `default` when left out. */
  readonly model?: string;
  /** What runs the graphs; `auto`, the default, takes the first of cuda, webgpu and cpu that works here in real time. */
  readonly provider?: Provider | 'auto';
  /** Threads of one run on the cpu provider, 1 by default: more of them cost more than they give at one frame a run. */
  readonly threads?: number;
}

/**
 * A codec model, loaded and checked: its manifest and its two graphs. It keeps no stream's state, so that any number
 * of streams share it; a run blocks the thread, so servers load one in each worker thread.
 */
export class CodecModel {
  readonly manifest: Manifest;
  /** Hex SHA-256 over the hashes of both graphs: equal digests give equal codes. */
  readonly digest: string;
  /** What runs the graphs. */
  readonly provider: Provider;
  /** With `auto`: the providers that were tried before, and why they were not taken. */
  readonly providerFailures: readonly ProviderFailure[];
  /** Run memory that the streams of this thread share. */
  readonly sharedEncoderBatch: SharedBatch<EncoderBatch>;
  /** Run memory that the streams of this thread share. */
  readonly sharedDecoderBatch: SharedBatch<DecoderBatch>;
  /** Where the streams of this thread have their states. */
  readonly encoderSlots: StateSlots;
  /** Where the streams of this thread have their states. */
  readonly decoderSlots: StateSlots;
  readonly #encoder: InferenceSession;
  readonly #decoder: InferenceSession;

  private constructor(
    manifest: Manifest,
    sessions: ProviderSessions,
    providerFailures: readonly ProviderFailure[],
  ) {
    this.manifest = manifest;
    this.digest = modelDigest(manifest);
    this.provider = sessions.provider;
    this.providerFailures = providerFailures;
    this.#encoder = sessions.encoder;
    this.#decoder = sessions.decoder;
    this.encoderSlots = new StateSlots(manifest.encoder);
    this.decoderSlots = new StateSlots(manifest.decoder);
    this.sharedEncoderBatch = new SharedBatch((rows, frames) => new EncoderBatch(manifest, rows, frames));
    this.sharedDecoderBatch = new SharedBatch((rows, frames) => new DecoderBatch(manifest, rows, frames));
  }

  /**
   * Reads the manifest, checks the hash of both graphs, and makes their sessions.
   * @throws TesseraError `unknown_model`, `bad_manifest` (unreadable, malformed, or the graphs do not fit it), `file_error`
   * (a graph is missing), `model_tampered` (a graph does not have its hash), `provider_unavailable` (with the reason).
   */
  static async load(options: LoadModelOptions = {}): Promise<CodecModel> {
    const directory = resolveModelDirectory(options.model);
    const manifest = await loadManifest(directory);
    const files = {
      encoder: await readVerified(directory, manifest.encoder),
      decoder: await readVerified(directory, manifest.decoder),
    };
    const wanted = options.provider ?? 'auto';
    const failures: ProviderFailure[] = [];
    for (const provider of wanted === 'auto' ? PROVIDERS : [wanted]) {
      const reason = await probeProvider(
        provider,
        join(directory, manifest.encoder.file),
        manifest.hop,
        // The decoder takes as long: one that is slower than the sound is no use, but whoever names it may have it.
        wanted === 'auto' ? 500 / frameRate(manifest) : Infinity,
      );
      if (reason !== undefined) {
        failures.push({ provider, reason });
        continue;
      }
      const sessions = await openSessions(files, provider, options.threads ?? 1, failures);
      if (sessions === undefined) continue;
      try {
        checkSession(sessions.encoder, manifest.encoder, encoderContract(manifest));
        checkSession(sessions.decoder, manifest.decoder, decoderContract(manifest));
      } catch (error) {
        await releaseSessions(sessions);
        throw error;
      }
      return new CodecModel(manifest, sessions, failures);
    }
    const reasons = failures.map(({ provider, reason }) => `${provider}: ${reason}`).join('; ');
    throw new TesseraError('provider_unavailable', `The model cannot be run here (${reasons})`);
  }

  /** Whether it decodes tokens of the model with this digest: its own, or one that the manifest lists. */
  decodes(digest: string): boolean {
    return digest === this.digest || (this.manifest.decodesTokensOf ?? []).includes(digest);
  }

  /** What clients are told of this model. */
  get summary(): ModelSummary {
    return summarizeManifest(this.manifest, this.digest);
  }

  /**
   * One run of the encoder: `batch.pcm` and `batch.states` in, `batch.codes` and `batch.nextStates` out. Samples must be
   * finite and within [-1, 1]: one stream's NaN would stay in its state. {@link encodeBatch} checks that.
   */
  async runEncoder(batch: EncoderBatch, rows: number, frames: number): Promise<void> {
    await runGraph(this.#encoder, batch.tensors(bucketRows(rows, this.provider, batch.maxRows), frames));
  }

  /**
   * One run of the decoder: `batch.codes`, `batch.active` and `batch.states` in, `batch.pcm` and `batch.nextStates`
   * out. Codes must be within the codebook. {@link decodeBatch} checks that.
   */
  async runDecoder(batch: DecoderBatch, rows: number, frames: number): Promise<void> {
    await runGraph(this.#decoder, batch.tensors(bucketRows(rows, this.provider, batch.maxRows), frames));
  }

  /** Frees the graphs. Streams of this model cannot be used afterwards. */
  async close(): Promise<void> {
    await releaseSessions({ encoder: this.#encoder, decoder: this.#decoder });
  }
}

/** The digest that names a model's files. */
export function modelDigest(manifest: Manifest): string {
  return createHash('sha256').update(manifest.encoder.sha256).update(manifest.decoder.sha256).digest('hex');
}

interface ProviderSessions {
  readonly provider: Provider;
  readonly encoder: InferenceSession;
  readonly decoder: InferenceSession;
}

async function openSessions(
  files: { readonly encoder: Uint8Array; readonly decoder: Uint8Array },
  provider: Provider,
  threads: number,
  failures: ProviderFailure[],
): Promise<ProviderSessions | undefined> {
  let encoder: InferenceSession | undefined;
  try {
    encoder = await createSession(files.encoder, provider, threads);
    return { provider, encoder, decoder: await createSession(files.decoder, provider, threads) };
  } catch (error) {
    await encoder?.release();
    failures.push({ provider, reason: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

async function releaseSessions({ encoder, decoder }: Omit<ProviderSessions, 'provider'>): Promise<void> {
  await encoder.release();
  await decoder.release();
}

const encoderContract = ({ quantizers, encoder: { residualEnergy } }: Manifest): GraphContract => {
  const shape = ['batch', quantizers, 'frames'];
  const residual = residualEnergy && { name: residualEnergy.output, type: 'float32', shape };
  return {
    inputs: [{ name: 'pcm', type: 'float32', shape: ['batch', 'samples'] }],
    outputs: [{ name: 'codes', type: 'int32', shape }, ...(residual ? [residual] : [])],
  };
};

const decoderContract = ({ quantizers, windows }: Manifest): GraphContract => ({
  inputs: [
    { name: 'codes', type: 'int32', shape: ['batch', quantizers, 'frames'] },
    {
      name: 'active',
      type: 'float32',
      shape: windows ? ['batch', quantizers, 'frames'] : ['batch', quantizers],
    },
  ],
  outputs: [{ name: 'pcm', type: 'float32', shape: ['batch', 'samples'] }],
});
