import { FieldPath } from '@google-cloud/firestore';
import { afterAll, beforeAll, expect } from 'vitest';
import { localInstance, type StackOptions } from '../../local/stack.ts';
import { actingAdmin } from '../../shared/postgres/names.ts';
import type { DatabaseRecord } from '../../shared/registry/databases.ts';
import { type GrantSet, grantKey } from '../../shared/registry/grants/model.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import { grantFunctions, startTestStack, type TestStack, target } from '../support/stack.ts';
import { membersOf, registryOf } from './members.ts';

interface Sending {
  readonly id?: string;
  readonly dryRun?: boolean;
}

/** Which grant: by default alice's, as a reader of `app.billing`. */
interface Place {
  readonly database?: string;
  readonly schema?: string;
  readonly level?: string;
}

interface Granting extends Place {
  readonly mode?: string;
  readonly expiresAt?: string;
  readonly reason?: string;
}

/** A stack for the tests of a file, and what they do with it. */
export interface Reconciling {
  stack: TestStack;
  /** Sends a message and waits for its end. */
  send(name: string, message: object, options?: Sending): Promise<OperationRecord>;
  createSchema(database: string, schema: string, more?: object): Promise<void>;
  grant(principal: string, more?: Granting): Promise<OperationRecord>;
  /** Of the local instance. */
  reconcile(more?: { all?: boolean }, options?: Sending): Promise<OperationRecord>;
  /** A time by the databases' clock. */
  inSeconds(seconds: number): Promise<string>;
  /** Waits for a time by the databases' clock. */
  until(at: string): Promise<unknown>;
  /** A tick, and all that comes of it. */
  tick(): Promise<void>;
  /** What is known of a database. */
  compared(database: string): Promise<DatabaseRecord>;
  /** Lets the time of a grant be over, without anybody waiting for it. */
  letEnd(principal: string, place?: Place): Promise<void>;
  /** Gives somebody a role for an hour, which is then over. */
  grantUntilNow(principal: string, place?: Place): Promise<void>;
  /** The document of a schema's grants. */
  setOf(database: string, schema: string): Promise<FirebaseFirestore.DocumentReference>;
  members(schema?: string, database?: string): Promise<string[]>;
  registry(schema?: string, database?: string): Promise<GrantSet>;
  /** By somebody who may act as Drover's admin for the schema. */
  byHand(database: string, statements: string, schema?: string): Promise<unknown>;
  /** Holds `reconcile` when it has read the registry and looked at the catalog, before it mends. */
  whenDriftIsFound(): { readonly held: Promise<void>; letGo(): void };
  /** Nobody can act as Drover's admin for the schema, until `again` is called. */
  withoutAdmin(database: string, schema: string): Promise<{ again(): Promise<void> }>;
}

/** @param roles statements that make whom the tests grant something */
export function useReconciling(
  databases: readonly string[],
  roles: string,
  options: Partial<StackOptions> = {},
): Reconciling {
  let sent = 0;
  const send: Reconciling['send'] = async (name, message, { id, dryRun = false } = {}) => {
    sent += 1;
    const operation = id ?? `sent-${sent}`;
    await used.stack.send(name, message, { id: operation, dryRun });
    return used.stack.ended(name, operation, dryRun);
  };
  const rename = (from: string, to: string) =>
    used.stack.query('postgres', `ALTER ROLE ${from} RENAME TO ${to}`);
  const fields: Omit<Reconciling, 'stack'> = {
    send,
    async createSchema(database, schema, more = {}) {
      const record = await send('create-schema', { target: target(database), schema, ...more });
      expect(record).toMatchObject({ state: 'succeeded' });
    },
    async grant(principal, granting = {}) {
      const { database = 'app', schema = 'billing', level = 'reader', mode = 'add', ...more } = granting;
      const grants = [{ principal, kind: 'login', level, ...more }];
      const record = await send('grant-roles', { target: target(database), schema, mode, grants });
      expect(record).toMatchObject({ state: 'succeeded' });
      return record;
    },
    reconcile: (more = {}, how = {}) => send('reconcile', { instance: localInstance, ...more }, how),
    async inSeconds(seconds) {
      const text = `SELECT clock_timestamp() + interval '${seconds} s' AS at`;
      const [{ at } = {}] = (await used.stack.query('postgres', text)) as { at?: Date }[];
      return at?.toISOString() ?? '';
    },
    until: (at) =>
      used.stack.query(
        'postgres',
        `SELECT pg_sleep(greatest(0, extract(epoch FROM '${at}'::timestamptz - clock_timestamp()) + 0.01))`,
      ),
    async tick() {
      expect(await send('reconcile', {})).toMatchObject({ state: 'succeeded' });
      await used.stack.pubsub?.idle();
    },
    async compared(database) {
      const { docs } = await used.stack.db.collection('databases').where('database', '==', database).get();
      return docs[0]?.data() as DatabaseRecord;
    },
    async letEnd(principal, { database = 'app', schema = 'billing', level = 'reader' } = {}) {
      const at = new Date(await fields.inSeconds(-1));
      const ref = await fields.setOf(database, schema);
      const field = new FieldPath('grants', grantKey({ role: level, principal }), 'value', 'expiresAt');
      await ref.update(field, at, 'nextExpiry', at);
    },
    async grantUntilNow(principal, place) {
      await fields.grant(principal, { ...place, expiresAt: await fields.inSeconds(3600) });
      await fields.letEnd(principal, place);
    },
    async setOf(database, schema) {
      const grants = used.stack.db.collection('grants');
      const { docs } = await grants.where('database', '==', database).where('schema', '==', schema).get();
      const [document] = docs;
      if (document === undefined) throw new Error(`there are no grants of ${database}.${schema}`);
      return document.ref;
    },
    members: (schema = 'billing', database = 'app') => membersOf(used.stack, database, schema),
    registry: (schema = 'billing', database = 'app') => registryOf(used.stack, database, schema),
    byHand: (database, statements, schema = 'billing') =>
      used.stack.query(database, `SET ROLE ${actingAdmin(database, schema)}; ${statements}`),
    whenDriftIsFound() {
      const { pubsub } = used.stack;
      if (pubsub === undefined) throw new Error('the stack is not whole');
      const held = Promise.withResolvers<void>();
      const later = Promise.withResolvers<void>();
      pubsub.intercept = ({ method, phase, request }) => {
        const [message] = (request['messages'] ?? []) as { data: Buffer }[];
        const isIt = method === 'Publish' && message?.data.includes('drover.drift.detected');
        if (phase !== 'before' || !isIt) return undefined;
        pubsub.intercept = undefined;
        held.resolve();
        return later.promise;
      };
      return { held: held.promise, letGo: later.resolve };
    },
    async withoutAdmin(database, schema) {
      const admin = actingAdmin(database, schema);
      await rename(admin, 'drover_gone_for_now');
      return {
        async again() {
          await rename('drover_gone_for_now', admin);
        },
      };
    },
  };
  const used = fields as Reconciling;
  beforeAll(async () => {
    used.stack = await startTestStack({ only: grantFunctions, databases: { open: databases }, ...options });
    await used.stack.query('postgres', roles);
    await Promise.all(databases.map((database) => fields.createSchema(database, 'billing')));
  });
  afterAll(() => used.stack.stop());
  return used;
}

/** What was taken from somebody, in these operations. */
export function revocationsOf(principal: string, records: readonly OperationRecord[]) {
  return records
    .flatMap(({ changes = [] }) => changes)
    .filter(({ action, detail }) => action === 'revoke' && detail === `from ${principal}`);
}
