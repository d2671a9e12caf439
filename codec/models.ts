import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TesseraError } from '../protocol/errors.js';

/** The models that come with the package, by name (this file runs from dist/codec/). */
const FOLDERS = {
  default: new URL('../../codec/model/', import.meta.url),
  /** The default's encoder, and a decoder of a third of the size. */
  lite: new URL('../../codec/model-lite/', import.meta.url),
} as const;

/** The name of a model that comes with the package. */
export type BundledModel = keyof typeof FOLDERS;

/** Every name that {@link resolveModelDirectory} knows, the default first. */
export const BUNDLED_MODELS = Object.keys(FOLDERS) as readonly BundledModel[];

/** The model that is meant where none is named. */
export const DEFAULT_MODEL: BundledModel = 'default';

/**
 * The folder of a model, from its name or from the folder itself. A bundled name goes before a folder of the same name
 * in the working directory, which is meant by `./NAME`. Whether the folder holds a model is not looked at.
 * @throws TesseraError `unknown_model` for a word that is neither, with the names there are.
 */
export function resolveModelDirectory(nameOrFolder: string = DEFAULT_MODEL): string {
  const name = BUNDLED_MODELS.find((known) => known === nameOrFolder);
  if (name !== undefined) return fileURLToPath(FOLDERS[name]);
  if (/[/\\]/.test(nameOrFolder) || existsSync(nameOrFolder)) return nameOrFolder;
  throw new TesseraError(
    'unknown_model',
    `There is no model "${nameOrFolder}": take ${BUNDLED_MODELS.join(' or ')}, or the folder of a manifest.json`,
  );
}
