import { Interruption } from './interruption.js';
import { Reporter } from './report.js';

/** What every command gets besides its options. */
export class CliContext {
  /** Prints what went wrong. */
  readonly reporter = new Reporter();
  /** Tidies up on a signal. */
  readonly interruption = new Interruption();
}
