import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { CodecModel, DEFAULT_MODEL } from '../codec/index.js';
import { CliContext } from './cli/context.js';
import { integer } from './cli/options.js';
import { runProgram, withErrors } from './cli/runProgram.js';
import { DEFAULT_ADDRESS, MAX_PORT, startServer, untilStopped } from './commands/serve.js';
import { demonstrate } from './demonstration.js';

/** The checkout; this file runs from dist/scripts/. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RECORDING = join(ROOT, 'test/fixtures/speech-en-1.wav');

async function quickstart({ port, serve }: { port: number; serve: boolean }): Promise<void> {
  const folder = join(process.cwd(), 'out');
  const model = await CodecModel.load();
  try {
    process.stdout.write(`\n${await demonstrate(model, RECORDING, folder)}\n`);
    process.stdout.write('Listen to them in out/, next to original.wav.\n');
  } finally {
    await model.close();
  }
  if (!serve) return;
  const { gateway, url, httpUrl } = await startServer({
    host: DEFAULT_ADDRESS.host,
    port,
    model: DEFAULT_MODEL,
    provider: 'auto',
    log: 'warn',
  });
  process.stdout.write(whatToTry(url, httpUrl));
  await untilStopped(gateway);
}

function whatToTry(url: string, httpUrl: string): string {
  return `
Tessera listens on ${url}; Ctrl-C stops it. Try, in another terminal, in ${ROOT}:

curl ${httpUrl}/healthz

npx tessera encode test/fixtures/speech-de-1.wav -o out/german.tsr --kbps 3
npx tessera inspect out/german.tsr
npx tessera decode out/german.tsr -o out/german.wav

node -e '
const socket = new (require("ws"))("${url}", "tessera.v1");
const say = (message) => socket.send(JSON.stringify(message));
socket.on("open", () => say({ type: "open", version: 1, mode: "encode", input: { format: "container" },
  output: { format: "tokens", framesPerPacket: 50 }, bitrate: { maxBitsPerSecond: 3000 } }));
socket.on("message", (data, isBinary) => {
  if (isBinary) return console.log("tokens:", data.length, "bytes");
  const { type } = JSON.parse(data);
  console.log(type);
  if (type === "opened") {
    const recording = require("fs").readFileSync("test/fixtures/speech-en-1.opus");
    socket.send(Buffer.concat([Buffer.from([1, 0]), recording]));
    say({ type: "flush" });
  }
  if (type === "flushed") say({ type: "close" });
});'
`;
}

const program = withErrors(new Command('quickstart'))
  .description(
    'Send a recording through Tessera at three bitrates, print sizes and scores, then serve on localhost.',
  )
  .option(
    '--port <port>',
    'port to serve on; 0 takes any free one',
    integer(0, MAX_PORT),
    DEFAULT_ADDRESS.port,
  )
  .option('--no-serve', 'end after the table')
  .action(quickstart);
await runProgram(program, new CliContext());
