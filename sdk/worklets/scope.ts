/** The parts of an AudioWorkletGlobalScope that are used here: TypeScript's libraries do not know it. */
interface WorkletScope {
  readonly AudioWorkletProcessor: new () => {
    readonly port: {
      onmessage: ((event: { readonly data: never }) => void) | null;
      postMessage(message: unknown, transfer?: readonly ArrayBufferLike[]): void;
    };
  };
  readonly registerProcessor: (name: string, processor: unknown) => void;
  /** Hz. */
  readonly sampleRate: number;
  /** Seconds. */
  readonly currentTime: number;
}

/** The globals of the audio thread. */
export const scope = globalThis as unknown as WorkletScope;

/** What the capture processor is made with. */
export interface CaptureOptions {
  /** Hz, of what it gives. */
  readonly sampleRate: number;
  readonly pieceSamples: number;
}
