import { TesseraError } from '../protocol/errors.js';
import { browser, type AudioContextLike } from './platform.js';

/** The text of `worklets/worklets.ts`, which the build puts here: the client stays one file. */
declare const TESSERA_WORKLETS: string | undefined;

/** Contexts that have the processors: a name can be registered once in each. */
const loaded = new WeakMap<AudioContextLike, Promise<void>>();

/**
 * Gives a context the client's processors, from a URL of this page or, where none is given, from a `blob:` URL.
 * @throws TesseraError `unsupported_platform` where the context takes neither.
 */
export function loadWorklets(context: AudioContextLike, workletUrl: string | undefined): Promise<void> {
  let loading = loaded.get(context);
  if (loading === undefined) {
    loading = addModule(context, workletUrl).catch((cause: unknown) => {
      loaded.delete(context);
      throw new TesseraError(
        'unsupported_platform',
        'The audio worklets cannot be loaded: serve dist/client/worklets.js from your origin and give its URL as workletUrl',
        { cause },
      );
    });
    loaded.set(context, loading);
  }
  return loading;
}

async function addModule(context: AudioContextLike, workletUrl: string | undefined): Promise<void> {
  if (workletUrl !== undefined) {
    await context.audioWorklet.addModule(workletUrl);
    return;
  }
  if (browser.Blob === undefined || typeof TESSERA_WORKLETS === 'undefined')
    throw new Error('No worklets here');
  const url = browser.URL.createObjectURL(new browser.Blob([TESSERA_WORKLETS], { type: 'text/javascript' }));
  try {
    await context.audioWorklet.addModule(url);
  } finally {
    browser.URL.revokeObjectURL(url);
  }
}
