import { createGateway, type Gateway, type GatewayLimits } from '../../services/gateway/index.js';
import { createLog } from '../../services/log.js';

/** A gateway on a free port of this machine, on the cpu provider, silent. Close it. */
export async function startGateway(
  limits: Partial<GatewayLimits> = {},
  workerUrl?: URL,
): Promise<{ readonly gateway: Gateway; readonly port: number }> {
  const gateway = await createGateway({
    engine: { provider: 'cpu', threads: 1, ...(workerUrl ? { workerUrl } : {}) },
    // What a machine under tests carries must not decide what they see.
    limits: { maxSessions: 32, ...limits },
    log: createLog('silent'),
    version: 'test',
  });
  const { port } = await gateway.listen();
  return { gateway, port };
}
