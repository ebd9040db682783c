import { once } from 'node:events';
import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import * as z from 'zod';
import { type LocalFirestore, startFirestore } from '../../../local/firestore/index.ts';
import type { Interceptor } from '../../../local/grpc/server.ts';
import { localPassword } from '../../../local/postgres/cloudsql.ts';
import { type LocalPubSub, startPubSub } from '../../../local/pubsub/index.ts';
import { closeFirestore, firestore } from '../../../shared/gcp/firestore.ts';
import { closePubSub } from '../../../shared/gcp/pubsub.ts';
import { defineOperation } from '../../../shared/operation/define.ts';
import type { OperationContext, OperationDefinition } from '../../../shared/operation/definition.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import type { AccessRequest } from '../../../shared/operation/policy.ts';
import { closePools } from '../../../shared/postgres/process-pools.ts';
import { type OperationRecord, operationDocumentId } from '../../../shared/registry/operations.ts';
import { functionLogin } from '../../support/postgres.ts';

export const name = 'paint';
export const target = { instance: 'acme:europe-west1:main', database: 'app' };

const message = z.strictObject({ color: z.string().default('red'), levels: z.array(z.string()).default([]) });
export type Paint = z.infer<typeof message>;
export type Run = (message: Paint, operation: OperationContext) => Promise<Outcome>;
export type Adapt = NonNullable<OperationDefinition<Paint>['adapt']>;

/** An operation that exists in these tests only. */
export function operation(run: Run, timeoutSeconds = 60, adapt?: Adapt): (event: unknown) => Promise<void> {
  return defineOperation({ name, timeoutSeconds, message, access, run, ...(adapt && { adapt }) });
}

/** The same one, which tenants may ask for, too. */
export function operationForTenants(run: Run): (event: unknown) => Promise<void> {
  return defineOperation({ name, timeoutSeconds: 60, message, forTenants: true, access, run });
}

function access({ levels }: Paint): AccessRequest {
  return { target, levels, principals: [], actions: [] };
}

export const nothing: Outcome = { changes: [] };

/** A push of a message, as it comes to a function. */
export function push(id: string, data: unknown = {}, attributes: Record<string, string> = {}, minute = 0) {
  return {
    message: {
      data: Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)).toString('base64'),
      attributes: { 'operation-id': id, ...attributes },
      messageId: '7',
      publishTime: new Date(Date.UTC(2026, 2, 1, 10, minute)).toISOString(),
    },
  };
}

export interface ResultEvent {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly operation: string; readonly [field: string]: unknown };
}

export interface Worker {
  firestore: LocalFirestore;
  pubsub: LocalPubSub;
  /** What was published, answered or not. */
  events: ResultEvent[];
  /** A fault of Publish, until the next test. */
  onPublish: Interceptor | undefined;
  record(operationId: string, dryRun?: boolean, tenant?: string): Promise<OperationRecord>;
}

/**
 * Has this process reach the instances of the tests at a port on loopback. To be called before {@link useWorker}'s hooks run:
 * the settings are read once.
 */
export function reachPostgresAt(port: number): void {
  const settings = { connector: 'direct', host: '127.0.0.1', port, user: functionLogin, tls: 'off' };
  const password = { env: 'WORKERS_PASSWORD' };
  process.env['WORKERS_PASSWORD'] = localPassword;
  process.env['DROVER_INSTANCES'] = JSON.stringify(
    ['acme:*:*', 'acme-dev:*:*'].map((instances) => ({ instances, ...settings, password })),
  );
}

/** A process that runs operations, with Firestore and Pub/Sub of its own, empty before each test. */
export function useWorker(environment: Record<string, string> = {}): Worker {
  const fields: Partial<Worker> = {
    events: [],
    async record(operationId, dryRun = false, tenant) {
      const db = await firestore();
      const id = operationDocumentId(name, { operationId, dryRun, ...(tenant && { tenant }) });
      const found = await db.collection('operations').doc(id).get();
      if (!found.exists) throw new Error(`${operationId} has no record`);
      return found.data() as OperationRecord;
    },
  };
  const worker = fields as Worker;
  beforeAll(async () => {
    worker.firestore = await startFirestore();
    worker.pubsub = await startPubSub();
    Object.assign(process.env, {
      GOOGLE_CLOUD_PROJECT: 'acme',
      METADATA_SERVER_DETECTION: 'none',
      FIRESTORE_EMULATOR_HOST: worker.firestore.host,
      PUBSUB_EMULATOR_HOST: worker.pubsub.host,
      DROVER_LOG_LEVEL: 'error',
      DROVER_POLICY: JSON.stringify({
        rules: [{ functions: [name], targets: ['acme:*:*/app'], levels: ['reader'] }],
      }),
      ...environment,
    });
    const pubsub = new PubSub({ projectId: 'acme', apiEndpoint: worker.pubsub.host, emulatorMode: true });
    await pubsub.createTopic('operation-results');
    await pubsub.close();
    worker.pubsub.intercept = async (call) => {
      if (call.method !== 'Publish') return;
      if (call.phase === 'after') {
        const [published] = call.request['messages'] as { data: Buffer }[];
        worker.events.push(JSON.parse(String(published?.data)));
      }
      await worker.onPublish?.(call);
    };
  });
  beforeEach(() => {
    worker.firestore.intercept = undefined;
    worker.firestore.clear();
    worker.onPublish = undefined;
    worker.events = [];
  });
  afterAll(async () => {
    await closePools(0);
    await Promise.all([closeFirestore(), closePubSub()]);
    await worker.firestore.close();
    await worker.pubsub.close();
  });
  return worker;
}

/** Never resolves; rejects when the signal fires, as work that heeds it does. */
export async function untilAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('the work was cut off');
}
