/**
 * What of browsers this client uses, in types of its own: so it compiles, and its users do, with and without the DOM
 * library of TypeScript. What a browser has fits these.
 */

/** An `AudioNode`. */
export interface AudioNodeLike {
  connect(destination: never): unknown;
  disconnect(): void;
}

/** A `MessagePort`. */
export interface MessagePortLike {
  onmessage: ((event: never) => void) | null;
  postMessage(message: unknown, transfer: never): void;
}

/** An `AudioWorkletNode`. */
export interface AudioWorkletNodeLike extends AudioNodeLike {
  readonly port: MessagePortLike;
}

/** An `AudioContext`. */
export interface AudioContextLike {
  readonly sampleRate: number;
  readonly state: string;
  readonly currentTime: number;
  readonly destination: AudioNodeLike;
  readonly audioWorklet: { addModule(url: string): Promise<void> };
  createMediaStreamSource(stream: never): AudioNodeLike;
  resume(): Promise<void>;
  close(): Promise<void>;
}

/** A `MediaStream`. */
export interface MediaStreamLike {
  getTracks(): { stop(): void }[];
}

/** A `Worker`. */
export interface WorkerLike {
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  postMessage(message: unknown, transfer: never): void;
  terminate(): void;
}

interface CacheLike {
  match(url: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer> } | undefined>;
  put(url: string, response: unknown): Promise<void>;
}

interface Browser {
  readonly Worker?: new (url: string, options: { type: 'module' }) => WorkerLike;
  readonly caches?: { open(name: string): Promise<CacheLike> };
  readonly Response?: new (body: ArrayBuffer) => unknown;
  readonly location?: { readonly origin: string };
  readonly AudioContext?: new (options: { sampleRate?: number; latencyHint?: string }) => AudioContextLike;
  readonly AudioWorkletNode?: new (
    context: AudioContextLike,
    name: string,
    options: object,
  ) => AudioWorkletNodeLike;
  readonly navigator?: {
    readonly mediaDevices?: { getUserMedia(constraints: object): Promise<MediaStreamLike> };
  };
  readonly Blob?: new (parts: string[], options: { type: string }) => unknown;
  readonly URL: { createObjectURL(blob: unknown): string; revokeObjectURL(url: string): void };
}

/** The globals of the browser, where this is one. */
export const browser = globalThis as unknown as Browser;
