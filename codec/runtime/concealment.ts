import { frameRate, type Manifest } from '../manifest.js';

/** Lost frames are concealed for so long by repeating the last one and fading out; silence follows. */
const CONCEALMENT_MS = 100;

/** Frames over which a lost stretch fades out. */
export function concealmentFrames(manifest: Manifest): number {
  return Math.max(1, Math.round((CONCEALMENT_MS / 1000) * frameRate(manifest)));
}

/** Multiplies by a gain that goes in a straight line from one value to another. */
export function fade(pcm: Float32Array, from: number, to: number): void {
  const slope = (to - from) / pcm.length;
  for (let at = 0; at < pcm.length; at += 1) pcm[at] = (pcm[at] ?? 0) * (from + slope * (at + 1));
}
