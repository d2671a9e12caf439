/** The gateway as it would be without batching: one session and one frame a run. For comparison in `bench:load`. */
import { DEFAULT_MODEL } from '../../codec/index.js';
import { createGateway, STREAM_PATH } from '../../services/gateway/index.js';
import { createLog } from '../../services/log.js';
import { providerOption } from './benchOptions.js';

const [provider = 'auto', threads = '1', maxSessions = '1', model = DEFAULT_MODEL] = process.argv.slice(2);
const gateway = await createGateway({
  engine: {
    model,
    provider: providerOption(provider),
    threads: Number(threads),
    maxBatch: 1,
    maxFramesPerRun: 1,
  },
  limits: { maxSessions: Number(maxSessions) },
  log: createLog('warn'),
});
const { address, port } = await gateway.listen();
process.stdout.write(`Tessera listens on ws://${address}:${port}${STREAM_PATH}\n`);
process.once('SIGTERM', () => void gateway.close());
