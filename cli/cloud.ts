import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Firestore } from '@google-cloud/firestore';
import { closeFirestore, firestore } from '../shared/gcp/firestore.ts';
import { closePubSub, publish } from '../shared/gcp/pubsub.ts';
import { hasStatus } from '../shared/gcp/status.ts';
import { OperationError } from '../shared/operation/errors.ts';
import { isLocal, project, requireEnvironment } from './environment.ts';

export type Service = 'Firestore' | 'Pub/Sub';

const services = {
  Firestore: { variable: 'FIRESTORE_EMULATOR_HOST', host: 'firestore.googleapis.com' },
  'Pub/Sub': { variable: 'PUBSUB_EMULATOR_HOST', host: 'pubsub.googleapis.com' },
} as const;

/** A server on this machine or nearby answers at once, or isn't there. */
const reachableMs = 3000;

/** The clients themselves would try again for minutes. */
const patienceMs = 20_000;

/**
 * Does something with services of the cloud and closes their clients, so that the process can end.
 *
 * @throws UsageError where the settings can't be used
 * @throws OperationError `UNAVAILABLE` where a local server doesn't answer
 */
export async function withCloud<T>(needed: readonly Service[], work: () => Promise<T>): Promise<T> {
  requireEnvironment();
  await Promise.all(needed.map(requireReachable));
  try {
    return await work();
  } finally {
    const enough = new AbortController();
    await Promise.race([
      Promise.allSettled([closeFirestore(), closePubSub()]),
      pause(1000, undefined, { signal: enough.signal }).catch(() => undefined),
    ]);
    enough.abort();
  }
}

/** One call of Firestore, answered in time. */
export async function ask<T>(call: (db: Firestore) => Promise<T>): Promise<T> {
  return inTime('Firestore', call(await firestore()));
}

/**
 * Publishes a message and waits until Pub/Sub has it.
 *
 * @returns its id
 * @throws OperationError `TOPIC_NOT_FOUND`, `UNAVAILABLE`
 */
export async function publishMessage(
  topic: string,
  data: Buffer,
  attributes: Readonly<Record<string, string>>,
): Promise<string> {
  try {
    return await inTime('Pub/Sub', publish(topic, data, attributes));
  } catch (error) {
    if (!hasStatus(error, 'NOT_FOUND')) throw error;
    throw new OperationError(
      'TOPIC_NOT_FOUND',
      `There is no topic ${topic} in the project ${project()}. Is Drover deployed there?`,
      { cause: error },
    );
  }
}

async function inTime<T>(service: Service, call: Promise<T>): Promise<T> {
  const enough = new AbortController();
  const late = pause(patienceMs, undefined, { signal: enough.signal }).then(() => {
    throw unavailable(service, `has not answered for ${patienceMs / 1000} s`);
  });
  try {
    return await Promise.race([call, late]);
  } catch (error) {
    if (hasStatus(error, 'UNAVAILABLE')) throw unavailable(service, 'could not be reached', error);
    throw error;
  } finally {
    enough.abort();
    late.catch(() => undefined);
  }
}

function unavailable(service: Service, what: string, cause?: unknown): OperationError {
  const { variable, host } = services[service];
  const emulator = process.env[variable];
  const where = emulator ? `${emulator} (${variable})` : host;
  const hint = isLocal()
    ? ' The address is from .drover/local.env: start the local cloud again with `npm start`.'
    : emulator
      ? ' Is the local cloud running (`npm start`)?'
      : '';
  return new OperationError('UNAVAILABLE', `${service} at ${where} ${what}.${hint}`, {
    retryable: true,
    cause,
  });
}

async function requireReachable(service: Service): Promise<void> {
  const address = process.env[services[service].variable];
  if (!address) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const [host, port] = splitAddress(address);
  const socket = connect({ host, port, timeout: reachableMs });
  socket.once('connect', resolve);
  socket.once('timeout', () => reject(new Error('no answer')));
  socket.once('error', reject);
  try {
    await promise;
  } catch (error) {
    throw unavailable(service, 'does not answer', error);
  } finally {
    socket.destroy();
  }
}

/** `127.0.0.1:8085`, `[::1]:8085`, `localhost` */
function splitAddress(address: string): [host: string, port: number] {
  const url = URL.parse(address.includes('://') ? address : `http://${address}`);
  return [url?.hostname.replace(/^\[|\]$/g, '') ?? address, Number(url?.port || 80)];
}
