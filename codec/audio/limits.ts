import { TesseraError } from '../../protocol/errors.js';

/** Sample rates, in Hz, that audio may come in. */
export const SAMPLE_RATE_RANGE = { min: 8_000, max: 192_000 } as const;

/** The most channels that audio may have; they are mixed down to one. */
export const MAX_CHANNELS = 32;

/**
 * Checks what a header or a client says of its audio. `name` is the file or stream, for the message.
 * @throws TesseraError `bad_audio` where the figures make no sense, `unsupported_audio` where they are out of range.
 */
export function checkAudioShape(name: string, sampleRate: number, channels: number): void {
  if (!Number.isInteger(channels) || channels < 1) {
    throw new TesseraError('bad_audio', `${name}: the audio has ${channels} channels; at least 1 is needed.`);
  }
  if (channels > MAX_CHANNELS) {
    throw new TesseraError(
      'unsupported_audio',
      `${name}: the audio has ${channels} channels; at most ${MAX_CHANNELS} are supported.`,
    );
  }
  if (!Number.isInteger(sampleRate) || sampleRate < 1) {
    throw new TesseraError('bad_audio', `${name}: the audio has a sample rate of ${sampleRate} Hz.`);
  }
  if (sampleRate < SAMPLE_RATE_RANGE.min || sampleRate > SAMPLE_RATE_RANGE.max) {
    throw new TesseraError(
      'unsupported_audio',
      `${name}: a sample rate of ${sampleRate} Hz is not supported; ` +
        `it must lie between ${SAMPLE_RATE_RANGE.min} and ${SAMPLE_RATE_RANGE.max} Hz.`,
    );
  }
}
