import { parseEntropyTables, type EntropyTables } from '../codec/entropy/index.js';
import type { OpenMessage } from '../protocol/clientMessages.js';
import { TesseraError } from '../protocol/errors.js';
import type { ModelSummary } from '../protocol/serverMessages.js';
import { fetchManifest, fetchModelFile } from './local/modelFiles.js';

/** The entropy tables of a server's model. */
export interface EntropyCoding {
  readonly tables: EntropyTables;
  /** Hex SHA-256 of their file. */
  readonly digest: string;
}

/** Whether a session that is opened so sends or gets entropy-coded tokens. */
export function needsEntropyCoding({ input, output }: OpenMessage): boolean {
  return input?.coding === 'entropy' || output.coding === 'entropy';
}

/**
 * Gets the tables of the model at `modelUrl`, unless the browser has them.
 * @throws TesseraError `bad_options` where the model has none, `connection_failed`, `model_tampered`, `bad_manifest`
 */
export async function fetchEntropyCoding(modelUrl: string): Promise<EntropyCoding> {
  const { entropy } = await fetchManifest(modelUrl);
  if (entropy === undefined) {
    throw new TesseraError(
      'bad_options',
      `The model at ${modelUrl} has no entropy tables: use coding "packed"`,
    );
  }
  const bytes = await fetchModelFile(modelUrl, entropy, () => undefined);
  return { tables: parseEntropyTables(new Uint8Array(bytes)), digest: entropy.sha256 };
}

/** @throws TesseraError `model_mismatch` where the server codes by other tables. */
export function requireEntropyCoding(coding: EntropyCoding | undefined, model: ModelSummary): void {
  if (coding === undefined || coding.digest === model.entropyDigest) return;
  throw new TesseraError(
    'model_mismatch',
    'The server codes tokens by other tables than those that were fetched',
  );
}
