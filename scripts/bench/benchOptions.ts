import { PROVIDERS, type Provider } from '../../codec/index.js';

/** Reads `--provider`. @throws Error for one that there is not. */
export function providerOption(value: string): 'auto' | Provider {
  const found = (['auto', ...PROVIDERS] as const).find((provider) => provider === value);
  if (found === undefined) throw new Error(`There is no provider "${value}"`);
  return found;
}
