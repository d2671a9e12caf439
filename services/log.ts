import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** How much is logged; each level includes those before it. */
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * The service's log: JSON lines on standard error, so that standard output stays free for results. What belongs to a
 * session is logged through `log.child({ sessionId })`.
 */
export function createLog(level: LogLevel = 'info'): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, process.stderr);
}
