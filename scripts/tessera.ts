#!/usr/bin/env node
import { Command } from 'commander';
import { CliContext } from './cli/context.js';
import { runProgram, withErrors } from './cli/runProgram.js';
import { packageVersion } from './cli/version.js';
import { addDecodeCommand } from './commands/decode.js';
import { addEncodeCommand } from './commands/encode.js';
import { addInspectCommand } from './commands/inspect.js';
import { addServeCommand } from './commands/serve.js';

const HELP = `
Exit codes: 0 done, 1 something failed, 2 wrong usage. Errors are one line each on standard error, with a code from the
table in protocol/README.md; TESSERA_DEBUG=1 adds where they came from.`;

const context = new CliContext();
const program = withErrors(new Command('tessera'))
  .description('Speech to discrete tokens and back, from files or live over WebSocket.')
  .version(packageVersion())
  .addHelpText('after', HELP);
addServeCommand(program);
addEncodeCommand(program, context);
addDecodeCommand(program, context);
addInspectCommand(program, context);
await runProgram(program, context);
