import { CommanderError, type Command } from 'commander';
import type { CliContext } from './context.js';
import { EXIT, exitCodeOf } from './report.js';

/** A command line's ways of failing, to be set before its commands are added. */
export function withErrors(program: Command): Command {
  return program
    .showHelpAfterError('Try --help.')
    .configureOutput({
      outputError: (text, write) => write(`tessera: ${text.replace(/^error: /, '')}`),
    })
    .exitOverride();
}

/** Runs the command line of this process; what goes wrong is printed and becomes the exit code. */
export async function runProgram(program: Command, { reporter, interruption }: CliContext): Promise<void> {
  // Whoever read our output has seen enough, as in `tessera inspect x.tsr | head -1`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') reporter.error(error);
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failure);
  });
  try {
    await program.parseAsync();
  } catch (error) {
    // The process is about to end by the signal; what fails meanwhile fails because of it.
    if (interruption.happened) return;
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    reporter.error(error);
    process.exitCode = exitCodeOf(error);
  }
}
