import { loadEntropyTables } from '../../../codec/entropyTables.js';
import { CodecModel } from '../../../codec/index.js';
import { lyraRival } from '../rivals/lyra.js';
import { programRivals } from '../rivals/programs.js';
import type { Rival } from '../rivals/rival.js';
import { TesseraCodec, type DepthSetting } from '../rivals/tessera.js';

/** Which codecs to run; it crosses to the threads that run them. */
export interface CodecChoice {
  /** Tessera's: a bundled name or a folder. */
  readonly model: string;
  readonly settings: readonly DepthSetting[];
  /** Folder of Lyra's model files. */
  readonly lyra: string | undefined;
}

/** Loads Tessera on the cpu provider. */
export async function openTessera(model: string): Promise<TesseraCodec> {
  return new TesseraCodec(await CodecModel.load({ model, provider: 'cpu' }), await loadEntropyTables(model));
}

/** Tessera first, then its rivals, those that cannot run here with the reason. */
export async function openCodecs(tessera: TesseraCodec, { settings, lyra }: CodecChoice): Promise<Rival[]> {
  return [{ name: 'Tessera', rows: tessera.rows(settings) }, lyraRival(lyra), ...(await programRivals())];
}
