import { readyContext, type AudioOptions } from './audioContext.js';
import type { JitterBufferOptions } from './audio/jitterBuffer.js';
import type { PlaybackStats } from './audio/playbackStats.js';
import type { LocalModelOptions } from './local/codecWorker.js';
import { TesseraError } from '../protocol/errors.js';
import { browser, type AudioContextLike, type AudioNodeLike } from './platform.js';

/** What `play` may be told. */
export interface PlayOptions extends AudioOptions, LocalModelOptions {
  /** Of a session that gets tokens: they are decoded in the page. */
  readonly decode?: 'local';
  /** Where the sound goes instead of the loudspeaker: any node of `audioContext`. */
  readonly destination?: AudioNodeLike;
  /** True, the default: what came late is caught up with, as in a call. False: everything is played. */
  readonly live?: boolean;
  /** Least and most sound, in milliseconds, that is held against jitter: 20 and 500 when left out. */
  readonly minTargetMs?: number;
  readonly maxTargetMs?: number;
}

/** Sound that is being played. */
export interface Player {
  readonly audioContext: AudioContextLike;
  /** What it plays comes out of here. */
  readonly node: AudioNodeLike;
  /** Figures of at most 50 ms ago. */
  readonly stats: PlaybackStats;
  /** Takes the next samples; those that are there already are passed over. */
  push(chunk: { readonly firstSampleIndex: number; readonly samples: Float32Array }): void;
  /** Stops at once. Safe to call again. */
  stop(): void;
  /** Nothing more comes: stops when all has been played. */
  finish(): void;
}

const DEFAULTS = { minMs: 20, maxMs: 500 } as const;
/** Of sound that is played to its end. */
const MAX_COMPLETE_MS = 120_000;
/** Live sound that is held at most, above the target's bound. */
const LIVE_HEADROOM_MS = 1500;

/** @throws TesseraError `bad_state` unless what comes is sound, or tokens that are decoded here. @returns whether they are. */
export function decodesLocally(options: PlayOptions, output: string): boolean {
  const isLocal = options.decode === 'local';
  if (isLocal === (output === 'tokens')) return isLocal;
  throw new TesseraError('bad_state', "Play tokens with decode: 'local', and sound without");
}

/**
 * Begins to play samples at so many Hz.
 * @throws TesseraError `unsupported_platform`
 */
export async function startPlayer(
  options: PlayOptions,
  sampleRate: number,
  { onStop }: { readonly onStop: () => void },
): Promise<Player> {
  const { context, release } = await readyContext(options, sampleRate);
  const { live = true, minTargetMs: minMs = DEFAULTS.minMs, maxTargetMs: maxMs = DEFAULTS.maxMs } = options;
  const maxBufferMs = live ? maxMs + LIVE_HEADROOM_MS : MAX_COMPLETE_MS;
  const processorOptions = { sampleRate, live, minMs, maxMs, maxBufferMs } satisfies JitterBufferOptions & {
    sampleRate: number;
  };
  const node = new browser.AudioWorkletNode!(context, 'tessera-playback', {
    numberOfInputs: 0,
    outputChannelCount: [1],
    processorOptions,
  });
  node.connect((options.destination ?? context.destination) as never);
  let stats: PlaybackStats = {
    bufferMs: 0,
    targetMs: minMs,
    playedMs: 0,
    concealedMs: 0,
    skippedMs: 0,
    sampleIndex: -1,
  };
  let isStopped = false;
  let isFinishing = false;
  const stop = (): void => {
    if (isStopped) return;
    isStopped = true;
    node.port.postMessage('stop', [] as never);
    node.port.onmessage = null;
    node.disconnect();
    release();
    onStop();
  };
  node.port.onmessage = ({ data }: { readonly data: PlaybackStats }) => {
    stats = data;
    if (isFinishing && data.bufferMs === 0) stop();
  };
  return {
    audioContext: context,
    node,
    get stats() {
      return stats;
    },
    push: ({ firstSampleIndex, samples }) => {
      // A copy goes over: the session's other listeners have the same samples.
      const copy = samples.slice();
      node.port.postMessage({ firstSampleIndex, samples: copy }, [copy.buffer] as never);
    },
    stop,
    finish: () => {
      isFinishing = true;
      // A context that does not run reports nothing.
      if (context.state !== 'running') stop();
    },
  };
}
