import { parseArgs } from 'node:util';
import { createGateway, STREAM_PATH } from '../../services/gateway/index.js';
import { createLog } from '../../services/log.js';
import { packageVersion } from '../cli/version.js';
import { untilStopped } from '../commands/serve.js';
import { MODEL_OPTION } from './benchOptions.js';

/**
 * `tessera serve` that loads its model and listens only when its parent says so: an outage in a bench lasts as long as it is
 * meant to, however long this machine takes to start a server.
 */
const { values } = parseArgs({
  options: {
    ...MODEL_OPTION,
    'max-sessions': { type: 'string' },
    port: { type: 'string' },
  },
});
const gateway = await createGateway({
  engine: { model: values.model },
  limits: { maxSessions: Number(values['max-sessions']) },
  log: createLog('warn'),
  version: packageVersion(),
});
process.once('message', () => {
  process.disconnect();
  void gateway.listen({ port: Number(values.port) }).then(({ address, port }) => {
    process.stdout.write(`Tessera listens on ws://${address}:${port}${STREAM_PATH}\n`);
  });
});
process.send!('ready');
await untilStopped(gateway);
