import { StudioError } from '../words.js';

/** A sound to listen to, in an audio graph. */
export interface Source {
  readonly node: AudioNode;
  /** Stops the sound and lets go of the device. */
  readonly release: () => void;
}

/** Longest recording that is decoded: it is held whole in memory. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Between the end of a recording and its next round. */
const PAUSE_SECONDS = 0.6;

/** A recording, again and again. @throws StudioError for what the browser cannot decode, or holds no sound. */
export async function recordingSource(context: AudioContext, file: Blob): Promise<Source> {
  if (file.size > MAX_FILE_BYTES) {
    throw new StudioError('This file is above 64 MB. Choose a shorter recording.');
  }
  const recording = await context.decodeAudioData(await file.arrayBuffer()).catch((cause: unknown) => {
    throw new StudioError(
      'This file cannot be read as sound. Choose a WAV, MP3, Ogg, FLAC or M4A recording.',
      { cause },
    );
  });
  if (recording.length === 0) throw new StudioError('This file holds no sound. Choose another recording.');
  const pause = Math.round(PAUSE_SECONDS * context.sampleRate);
  const round = context.createBuffer(1, recording.length + pause, context.sampleRate);
  round.copyToChannel(mixDown(recording), 0);
  const node = new AudioBufferSourceNode(context, { buffer: round, loop: true });
  node.start();
  return { node, release: () => node.stop() };
}

/** The microphone. @throws StudioError where there is none, or it may not be used. */
export async function microphoneSource(context: AudioContext): Promise<Source> {
  const stream = await openMicrophone();
  const node = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
  return { node, release: () => stopTracks(stream) };
}

/** Asks for the microphone. @throws StudioError that says what to do. */
export async function openMicrophone(): Promise<MediaStream> {
  // Undefined on pages that are neither https nor of this machine, whatever the type says.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    throw new StudioError(
      'Browsers give the microphone to https pages and to localhost only. Open the page so, or choose a file.',
    );
  }
  try {
    return await devices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: false, autoGainControl: true },
    });
  } catch (cause) {
    const name = cause instanceof DOMException ? cause.name : '';
    if (name === 'NotAllowedError') {
      throw new StudioError(
        'The microphone was not allowed. Allow it for this page beside the address bar, then press Microphone again; the samples work without it.',
        { cause },
      );
    }
    if (name === 'NotFoundError') {
      throw new StudioError('No microphone was found. Connect one and try again, or choose a file.', {
        cause,
      });
    }
    throw new StudioError(
      'The microphone cannot be used now; another program may hold it. Try again, or choose a file.',
      { cause },
    );
  }
}

/** Lets go of the device behind a stream. */
export function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

function mixDown(recording: AudioBuffer): Float32Array<ArrayBuffer> {
  const mono = new Float32Array(recording.length);
  for (let channel = 0; channel < recording.numberOfChannels; channel += 1) {
    const samples = recording.getChannelData(channel);
    for (let i = 0; i < mono.length; i += 1) mono[i] = mono[i]! + samples[i]! / recording.numberOfChannels;
  }
  return mono;
}
