import type { AbStatus } from './abTracks.js';

/** What the page tells the worklet; positions are samples of the input's time line. */
export type ToWorklet =
  | { readonly type: 'resynthesis'; readonly pcm: Float32Array; readonly first: number }
  | { readonly type: 'gap'; readonly end: number }
  | { readonly type: 'hear'; readonly isOriginal: boolean }
  | { readonly type: 'stop' };

/** What the worklet tells the page. */
export type FromWorklet =
  | { readonly type: 'original'; readonly pcm: Float32Array<ArrayBuffer>; readonly first: number }
  | {
      readonly type: 'status';
      readonly status: AbStatus;
      /** Highest absolute sample of each track since the last report. */
      readonly peaks: { readonly original: number; readonly resynthesis: number };
    };
