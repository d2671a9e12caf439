import type { ErrorCode } from '../../protocol/errors.js';

/** What ffmpeg's log says of its input. Logs are made for people, so any part may be missing. */
export interface InputDetails {
  /** Such as `mp3` or `matroska,webm`. */
  readonly container?: string;
  /** Such as `opus`. */
  readonly codec?: string;
  readonly durationSeconds?: number;
}

/** fluent-ffmpeg's `codecData` event, as far as it is used. */
export interface CodecData {
  readonly format?: string;
  readonly audio?: string;
  readonly duration?: string;
}

/** Turns fluent-ffmpeg's `codecData` into plain figures. */
export function inputDetails(data: CodecData | undefined): InputDetails {
  const codec = /^\w+/.exec(data?.audio ?? '')?.[0];
  const durationSeconds = parseDuration(data?.duration ?? '');
  return {
    ...(data?.format ? { container: data.format } : {}),
    ...(codec === undefined ? {} : { codec }),
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
  };
}

/**
 * Lines that name a cause, the most telling first; what an input was refused for decides the code. ffmpeg's last lines
 * ("Conversion failed!") seldom say anything.
 */
const CAUSES: readonly { readonly pattern: RegExp; readonly code: ErrorCode }[] = [
  { pattern: /moov atom not found/i, code: 'bad_audio' },
  { pattern: /no decoder found for.*|decoder .*not found.*/i, code: 'unsupported_audio' },
  {
    pattern: /unable to (find a suitable|choose an) output format|(encoder .*not found|unknown encoder).*/i,
    code: 'unsupported_audio',
  },
  {
    pattern: /(codec|audio codec|output format) \S+ is not available|automatic encoder selection failed.*/i,
    code: 'unsupported_audio',
  },
  { pattern: /(stream map .*matches no streams|does not contain any stream)/i, code: 'unsupported_audio' },
  {
    pattern:
      /no such file or directory|permission denied|is a directory|no space left on device|read-only file system/i,
    code: 'file_error',
  },
  { pattern: /invalid data found when processing input/i, code: 'unsupported_audio' },
];

/** The cause of a failure in ffmpeg's own words, and the code that fits it. */
export function failureCause(log: string): { readonly reason: string; readonly code: ErrorCode } {
  for (const { pattern, code } of CAUSES) {
    const match = pattern.exec(log);
    if (match !== null) {
      // Where ffmpeg had recognized the input, its data are damaged, not of an unknown kind.
      const recognized = /^Input #0/m.test(log) && /invalid data/i.test(match[0]);
      return { reason: match[0].trim(), code: recognized ? 'bad_audio' : code };
    }
  }
  const lines = log.split('\n').map((line) => line.replace(/\[[^\]]* @ 0x[0-9a-f]+\]/g, '').trim());
  const reason = lines.findLast((line) => line !== '' && line !== 'Conversion failed!');
  return { reason: reason ?? 'no reason given', code: 'bad_audio' };
}

/** `00:01:02.50` → 62.5; undefined for `N/A`. */
function parseDuration(text: string): number | undefined {
  const match = /^(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]);
}
