import { TesseraError } from '../protocol/errors.js';
import { browser, type AudioContextLike } from './platform.js';
import { loadWorklets } from './workletModule.js';

/** Where sound is captured or played. */
export interface AudioOptions {
  /** One of the page's own; it is not closed then. */
  readonly audioContext?: AudioContextLike;
  /** Of `dist/client/worklets.js` on the page's origin, for pages whose policy forbids `blob:` scripts. */
  readonly workletUrl?: string;
}

/** A context that has the processors, and what lets go of it. */
export interface ReadyContext {
  readonly context: AudioContextLike;
  readonly release: () => void;
}

/**
 * The page's context, or a new one at so many Hz, with the processors loaded and running.
 * @throws TesseraError `unsupported_platform`
 */
export async function readyContext(options: AudioOptions, sampleRate: number): Promise<ReadyContext> {
  const given = options.audioContext;
  if (given === undefined && browser.AudioContext === undefined) {
    throw new TesseraError('unsupported_platform', 'There is no AudioContext here: sound needs a browser');
  }
  const context = given ?? new browser.AudioContext!({ sampleRate, latencyHint: 'interactive' });
  const release = (): void => {
    if (given === undefined) void context.close();
  };
  try {
    await loadWorklets(context, options.workletUrl);
  } catch (error) {
    release();
    throw error;
  }
  // Without a gesture of the user it stays suspended, and starts at the next call of resume().
  if (context.state === 'suspended') void context.resume().catch(() => undefined);
  return { context, release };
}
