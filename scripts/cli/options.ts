import { InvalidArgumentError, Option, type Command } from 'commander';
import { BUNDLED_MODELS, DEFAULT_MODEL, PROVIDERS, type LoadModelOptions } from '../../codec/index.js';

/** Options of every command that runs the model. */
export interface ModelOptions {
  readonly model: string;
  readonly provider: NonNullable<LoadModelOptions['provider']>;
}

/** Adds `--model` and `--provider`. */
export function addModelOptions(command: Command): Command {
  return command
    .option(
      '--model <name>',
      `model to use: ${BUNDLED_MODELS.join(', ')}, or a folder with a manifest.json`,
      DEFAULT_MODEL,
    )
    .addOption(
      new Option('--provider <name>', 'what runs the model').choices(['auto', ...PROVIDERS]).default('auto'),
    );
}

/** The options as `CodecModel.load` takes them. */
export function toLoadOptions({ model, provider }: ModelOptions): LoadModelOptions {
  return { model, provider };
}

/** Parses an integer from `min` to `max`, for commander. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`It must be an integer ${range}.`);
  };
}

/** Parses a number above 0, for commander. */
export function positiveNumber(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number above 0.');
}
