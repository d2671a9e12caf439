#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { addDecodeCommand } from './commands/decode.js';
import { addEncodeCommand } from './commands/encode.js';
import { addInspectCommand } from './commands/inspect.js';
import { CliContext } from './cli/context.js';
import { EXIT, exitCodeOf } from './cli/report.js';
import { packageVersion } from './cli/version.js';

const HELP = `
Exit codes: 0 done, 1 something failed, 2 wrong usage. Errors are one line each on standard error, with a code from the
table in protocol/README.md; TESSERA_DEBUG=1 adds where they came from.`;

function createProgram(context: CliContext): Command {
  const program = new Command('tessera')
    .description('Speech to discrete tokens and back.')
    .version(packageVersion())
    .addHelpText('after', HELP)
    .showHelpAfterError('Try --help.')
    .configureOutput({
      outputError: (text, write) => write(`tessera: ${text.replace(/^error: /, '')}`),
    })
    .exitOverride();
  addEncodeCommand(program, context);
  addDecodeCommand(program, context);
  addInspectCommand(program, context);
  return program;
}

async function main(): Promise<void> {
  const context = new CliContext();
  // Whoever read our output has seen enough, as in `tessera inspect x.tsr | head -1`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') context.reporter.error(error);
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failure);
  });
  context.interruption.listen();
  try {
    await createProgram(context).parseAsync();
  } catch (error) {
    // The process is about to end by the signal; what fails meanwhile fails because of it.
    if (context.interruption.happened) return;
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    context.reporter.error(error);
    process.exitCode = exitCodeOf(error);
  }
}

await main();
