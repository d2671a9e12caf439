import { Interruption } from './interruption.js';
import { Reporter } from './report.js';

/** What every command gets besides its options. */
export class CliContext {
  readonly reporter = new Reporter();
  readonly interruption = new Interruption();
}
