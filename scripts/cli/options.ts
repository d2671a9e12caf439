import { InvalidArgumentError, Option, type Command } from 'commander';
import { PROVIDERS, type LoadModelOptions } from '../../codec/index.js';

/** Options of every command that runs the model. */
export interface ModelOptions {
  readonly model?: string;
  readonly provider: NonNullable<LoadModelOptions['provider']>;
}

/** Adds `--model` and `--provider`. */
export function addModelOptions(command: Command): Command {
  return command
    .option(
      '--model <directory>',
      'model to use, a directory with a manifest.json (default: the bundled one)',
    )
    .addOption(
      new Option('--provider <name>', 'what runs the model').choices(['auto', ...PROVIDERS]).default('auto'),
    );
}

/** The options as `CodecModel.load` takes them. */
export function toLoadOptions({ model, provider }: ModelOptions): LoadModelOptions {
  return { provider, ...(model === undefined ? {} : { directory: model }) };
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
