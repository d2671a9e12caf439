import { TesseraError } from '../protocol/errors.js';
import { readyContext, type AudioOptions } from './audioContext.js';
import type { LocalEncodeOptions } from './local/localEncoder.js';
import { browser, type AudioContextLike, type MediaStreamLike } from './platform.js';
import type { CaptureOptions } from './worklets/scope.js';

/** What `sendMicrophone` may be told. */
export interface MicrophoneOptions extends AudioOptions, LocalEncodeOptions {
  /** Of a session that sends tokens: they are made in the page. */
  readonly encode?: 'local';
  /** Of `getUserMedia`, where no stream is given; by default echo cancellation and the like are on. */
  readonly constraints?: object;
}

/** A microphone that is being sent. */
export interface Microphone {
  readonly audioContext: AudioContextLike;
  /** Stops sending; a microphone that the client asked for itself is let go of. Safe to call again. */
  stop(): void;
}

interface Capture extends CaptureOptions {
  readonly onSamples: (samples: Float32Array) => void;
}

const DEFAULT_CONSTRAINTS = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * Captures a stream, or the microphone that the user allows.
 * @throws TesseraError `microphone_unavailable`, `unsupported_platform`
 */
export async function startMicrophone(
  given: MediaStreamLike | undefined,
  options: MicrophoneOptions,
  { sampleRate, pieceSamples, onSamples }: Capture,
): Promise<Microphone> {
  const stream = given ?? (await askForMicrophone(options.constraints ?? DEFAULT_CONSTRAINTS));
  const stopTracks = (): void => {
    if (given === undefined) for (const track of stream.getTracks()) track.stop();
  };
  try {
    return await capture(stream, options, { sampleRate, pieceSamples, onSamples }, stopTracks);
  } catch (error) {
    stopTracks();
    throw error;
  }
}

async function capture(
  stream: MediaStreamLike,
  options: MicrophoneOptions,
  { sampleRate, pieceSamples, onSamples }: Capture,
  onStop: () => void,
): Promise<Microphone> {
  let ready = await readyContext(options, sampleRate);
  let source;
  try {
    source = ready.context.createMediaStreamSource(stream as never);
  } catch (cause) {
    ready.release();
    if (options.audioContext) {
      throw new TesseraError('microphone_unavailable', 'The audio context does not take the stream', {
        cause,
      });
    }
    // Some browsers take a microphone only at its own rate; the worklet resamples then.
    ready = await readyContext(options, 48_000);
    source = ready.context.createMediaStreamSource(stream as never);
  }
  const node = new browser.AudioWorkletNode!(ready.context, 'tessera-capture', {
    numberOfOutputs: 0,
    processorOptions: { sampleRate, pieceSamples } satisfies CaptureOptions,
  });
  node.port.onmessage = ({ data }: { readonly data: Float32Array }) => onSamples(data);
  source.connect(node as never);
  let isStopped = false;
  return {
    audioContext: ready.context,
    stop: () => {
      if (isStopped) return;
      isStopped = true;
      node.port.onmessage = null;
      node.port.postMessage('stop', [] as never);
      source.disconnect();
      ready.release();
      onStop();
    },
  };
}

async function askForMicrophone(audio: object): Promise<MediaStreamLike> {
  const devices = browser.navigator?.mediaDevices;
  if (devices === undefined) {
    throw new TesseraError(
      'unsupported_platform',
      'There are no microphones here: that needs a browser, and a page over HTTPS or on localhost',
    );
  }
  try {
    return await devices.getUserMedia({ audio });
  } catch (cause) {
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    throw new TesseraError('microphone_unavailable', `There is no microphone that may be used (${reason})`, {
      cause,
    });
  }
}
