import { providerBounds } from '../../services/engine/index.js';
import { DEFAULT_MODEL, PROVIDERS, type Provider } from '../../codec/index.js';

/** `--model` of every bench, for `parseArgs`: a bundled name or a folder. */
export const MODEL_OPTION = { model: { type: 'string', default: DEFAULT_MODEL } } as const;

/** `--piece` of the benches of load: how many frames come at once, as from clients that send messages of 80 ms. */
export const PIECE_OPTION = { piece: { type: 'string', default: '1' } } as const;

/** Reads `--late`: after how many milliseconds a frame is late; as long as the provider's runs may take by default. */
export function lateOption(value: string | undefined, provider: Provider): number {
  return value === undefined ? providerBounds(provider).maxTurnLatencyMs : Number(value);
}

/** Reads `--provider`. @throws Error for one that there is not. */
export function providerOption(value: string): 'auto' | Provider {
  const found = (['auto', ...PROVIDERS] as const).find((provider) => provider === value);
  if (found === undefined) throw new Error(`There is no provider "${value}"`);
  return found;
}
