import domain from 'node:domain';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { cloudEvent } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { config } from '../shared/config.ts';
import { closeFirestore } from '../shared/gcp/firestore.ts';
import { closeKms } from '../shared/gcp/kms.ts';
import { closePubSub } from '../shared/gcp/pubsub.ts';
import { closeSecretManager } from '../shared/gcp/secretmanager.ts';
import { drain, refuseWork } from '../shared/operation/running.ts';
import { closePools } from '../shared/postgres/process-pools.ts';
import { createLogger, type Logger } from '../shared/telemetry/log.ts';
import { limitBytesInFlight } from './admission.ts';

/**
 * Serves a function under the Functions Framework.
 *
 * The framework's own command exits the moment SIGTERM comes. This takes its server, with all of its middleware, and
 * lets what is running finish or hand back first.
 */
export async function serve(name: string, handler: (event: unknown) => Promise<void>): Promise<void> {
  const log = createLogger({ function: name });
  leaveDomainsOut();
  cloudEvent(name, handler);
  const server = getTestServer(name);
  limitBytesInFlight(server);
  server.listen(config().PORT);
  await once(server, 'listening');
  log.log('INFO', 'serving', { address: server.address() });
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      void stop(server, log, signal);
    });
  }
  process.on('uncaughtException', (error) => crash(log, error));
  process.on('unhandledRejection', (error) => crash(log, error));
}

/**
 * The framework runs each request in a domain, for whose sake Node keeps book of every asynchronous call in the process: a
 * sixth of all that a function computes. What a domain would catch is for {@link crash}.
 */
function leaveDomainsOut(): void {
  const none = {
    on: () => none,
    run: <T>(work: () => T): T => work(),
    bind: <T>(callback: T): T => callback,
  } as unknown as domain.Domain;
  domain.create = () => none;
  // What the framework asks for the domain it is in.
  Object.assign(process, { domain: none });
}

/**
 * Half of the time for finishing, the rest for handing back what did not and for closing connections. A timer ends
 * the process in any case: whatever hangs must not take the time of the next instance.
 */
async function stop(server: Server, log: Logger, signal: string): Promise<void> {
  const patienceMs = config().DROVER_SHUTDOWN_SECONDS * 1000;
  setTimeout(() => {
    log.log('WARNING', 'stopped by force: connections did not close in time');
    process.exit(1);
  }, patienceMs).unref();
  server.close();
  refuseWork();
  const aborted = await drain(patienceMs / 2);
  server.closeIdleConnections();
  await Promise.allSettled([
    closePools(patienceMs / 4),
    closeFirestore(),
    closePubSub(),
    closeSecretManager(),
    closeKms(),
  ]);
  log.log('INFO', 'stopped', { signal, handedBack: aborted });
  process.exit(0);
}

/** The state of the process is unknown: Cloud Run starts another, and leases and redelivery do the rest. */
function crash(log: Logger, error: unknown): void {
  log.log('ERROR', 'crashed', { stack: error });
  process.exit(1);
}
