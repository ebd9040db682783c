import { Firestore } from '@google-cloud/firestore';
import { type Message, PubSub } from '@google-cloud/pubsub';
import pg from 'pg';
import { localInstance, localProject, type Stack, type StackOptions, startStack } from '../../local/stack.ts';
import { attribute } from '../../shared/operation/request.ts';
import { type OperationRecord, operationDocumentId } from '../../shared/registry/operations.ts';
import { bundleVariable } from './prepared.ts';

/** The bucket that others upload to. */
export const uploads = `${localProject}-uploads`;

/** Everything is allowed in every database of the local instance, but in `forbidden`. */
export const permissivePolicy = {
  rules: [
    {
      functions: ['create-schema'],
      targets: [`${localInstance}/app*`, `${localInstance}/missing`, `${localInstance}/closed`],
      levels: ['owner', 'writer', 'reader', 'analyst'],
      principals: ['*'],
      actions: ['adopt', 'lockDatabase'],
    },
    {
      functions: ['grant-roles'],
      targets: [`${localInstance}/app*`, `${localInstance}/missing`, `${localInstance}/closed`],
      levels: ['owner', 'writer', 'reader', 'analyst', 'monitor', 'custom:*'],
      principals: ['*'],
      actions: ['exact', 'offboard', 'mend', 'createMissing', 'customRoles', 'native:pg_signal_backend'],
    },
    {
      functions: ['rotate-secret'],
      targets: [`${localInstance}/app*`],
      secrets: ['app-*', 'value-*'],
      levels: ['owner', 'writer', 'reader', 'analyst', 'monitor', 'custom:*'],
      actions: ['create', 'adopt', 'force', 'repair', 'probe'],
    },
    {
      functions: ['bootstrap-tenant'],
      targets: [`${localInstance}/app*`, `${localInstance}/tenant_*`, `${localInstance}/t_*`],
      levels: ['owner', 'writer'],
      actions: ['system', 'forceRecreate', 'remove', 'createDatabase', 'reuse', 'restore', 'quotas'],
    },
    {
      functions: ['sync-repo-metadata'],
      targets: [`${localInstance}/app*`],
      repositories: ['github:*/*', `gs://${uploads}/repositories/**`],
      actions: ['allowDeletes'],
    },
    {
      functions: ['ingest-object'],
      targets: [`${localInstance}/app*`, `${localInstance}/tenant_*`],
      secrets: ['app-*', 'value-*', 'tenant-*'],
      levels: ['owner', 'writer', 'reader', 'analyst', 'monitor', 'custom:*'],
      principals: ['*'],
      actions: [
        ...['create', 'customRoles', 'exact', 'createMissing'],
        ...['createDatabase', 'quotas', 'lockDatabase', 'probe'],
      ],
    },
  ],
};

/** A running stack with the official clients connected to it. */
export interface TestStack extends Stack {
  readonly db: Firestore;
  /** For topics and subscriptions of a test's own. */
  readonly messaging: PubSub;
  /** What every function wrote, by function. */
  readonly logs: Map<string, string[]>;
  /** Publishes to a function's topic; data that isn't a string or Buffer is sent as JSON. */
  send(functionName: string, data: unknown, options?: SendOptions): Promise<void>;
  /** The record of an operation; undefined while there is none. */
  record(functionName: string, operationId: string, dryRun?: boolean): Promise<OperationRecord | undefined>;
  /** Resolves with the record once the operation ended and that was reported. */
  ended(functionName: string, operationId: string, dryRun?: boolean): Promise<OperationRecord>;
  /** Result events seen so far, by the operation's id. */
  readonly results: Map<string, ResultEvent[]>;
  /** Events of other types on the topic of the results, seen so far. */
  readonly events: OtherEvent[];
  query(database: string, text: string): Promise<Record<string, unknown>[]>;
}

export interface SendOptions {
  readonly id?: string;
  readonly dryRun?: boolean;
  readonly attributes?: Readonly<Record<string, string>>;
}

export interface ResultEvent {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly operation: string; readonly state: string; readonly [field: string]: unknown };
}

export interface OtherEvent {
  readonly id: string;
  readonly type: string;
  readonly subject?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What tests of grants need. */
export const grantFunctions = ['create-schema', 'grant-roles', 'reconcile', 'dead-letter'];

/** What tests of secrets need. */
export const secretFunctions = ['create-schema', 'rotate-secret', 'dead-letter'];

/** What tests of tenants need. */
export const tenantFunctions = ['create-schema', 'bootstrap-tenant', 'rotate-secret', 'dead-letter'];

/** What tests of repositories need. */
export const repositoryFunctions = ['create-schema', 'sync-repo-metadata', 'reconcile', 'dead-letter'];

/** What tests of objects need. */
export const objectFunctions = [
  ...['create-schema', 'grant-roles', 'rotate-secret', 'bootstrap-tenant'],
  ...['sync-repo-metadata', 'ingest-object', 'dead-letter'],
];

export const target = (database: string) => ({ instance: localInstance, database });

export async function startTestStack(options: Partial<StackOptions> = {}): Promise<TestStack> {
  process.env['METADATA_SERVER_DETECTION'] = 'none';
  const logs = new Map<string, string[]>();
  const stack = await startStack({
    ports: 'auto',
    databases: { open: ['app'] },
    policy: permissivePolicy,
    only: ['create-schema', 'dead-letter'],
    minimumBackoffSeconds: 0.2,
    ...(process.env[bundleVariable] ? { entry: process.env[bundleVariable] } : {}),
    ...options,
    onLog: (name, line) => {
      logs.set(name, [...(logs.get(name) ?? []), line]);
      options.onLog?.(name, line);
    },
  });
  const host = stack.environment['PUBSUB_EMULATOR_HOST'] ?? '';
  const pubsub = new PubSub({ projectId: localProject, apiEndpoint: host, emulatorMode: true });
  const [firestoreHost = '', port] = (stack.environment['FIRESTORE_EMULATOR_HOST'] ?? '').split(':');
  const db = new Firestore({
    projectId: localProject,
    servicePath: firestoreHost,
    port: Number(port),
    ssl: false,
  });

  const results = new Map<string, ResultEvent[]>();
  const events: OtherEvent[] = [];
  const waiting = new Set<() => void>();
  const [subscription] = await pubsub.topic('operation-results').createSubscription('test-results');
  subscription.on('message', (message: Message) => {
    const event = JSON.parse(message.data.toString()) as ResultEvent | OtherEvent;
    if (isResult(event))
      results.set(event.data.operation, [...(results.get(event.data.operation) ?? []), event]);
    else events.push(event);
    message.ack();
    for (const wake of waiting) wake();
  });
  subscription.on('error', () => undefined);
  const resultOf = async (id: string) => {
    while (!results.has(id)) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
      });
    }
  };

  const record = async (functionName: string, operationId: string, dryRun = false) => {
    const id = operationDocumentId(functionName, { operationId, dryRun });
    return (await db.collection('operations').doc(id).get()).data() as OperationRecord | undefined;
  };
  return {
    ...stack,
    db,
    messaging: pubsub,
    logs,
    results,
    events,
    record,
    async send(functionName, data, { id, dryRun, attributes = {} } = {}) {
      const text = typeof data === 'string' ? data : JSON.stringify(data);
      await pubsub.topic(functionName).publishMessage({
        data: Buffer.isBuffer(data) ? data : Buffer.from(text),
        attributes: {
          ...attributes,
          ...(id === undefined ? {} : { [attribute.operationId]: id }),
          ...(dryRun ? { [attribute.dryRun]: 'true' } : {}),
        },
      });
    },
    async ended(functionName, operationId, dryRun = false) {
      await resultOf(operationDocumentId(functionName, { operationId, dryRun }));
      const found = await record(functionName, operationId, dryRun);
      if (found === undefined) throw new Error(`${functionName} ${operationId} has a result but no record`);
      return found;
    },
    async query(database, text) {
      const client = new pg.Client({ connectionString: stack.cluster.superuserUrl(database) });
      await client.connect();
      try {
        return (await client.query(text)).rows as Record<string, unknown>[];
      } finally {
        await client.end();
      }
    },
    async stop() {
      subscription.removeAllListeners();
      await subscription.close();
      await pubsub.close();
      await db.terminate();
      await stack.stop();
    },
  };
}

function isResult(event: ResultEvent | OtherEvent): event is ResultEvent {
  return event.type.startsWith('drover.operation.');
}
