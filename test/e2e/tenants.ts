import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { localInstance, type StackOptions } from '../../local/stack.ts';
import { withDates } from '../../shared/registry/dates.ts';
import type { RecordedError } from '../../shared/registry/operations.ts';
import { tenantDocumentId } from '../../shared/registry/tenants/document-id.ts';
import type { StepRecord, TenantRecord } from '../../shared/registry/tenants/model.ts';
import { confirmationOf, readSteps } from '../../shared/registry/tenants/store.ts';
import { connectedAs, secretsOf, type TestSecrets } from '../support/secrets.ts';
import { startTestStack, type TestStack, tenantFunctions } from '../support/stack.ts';
import type { Ended } from './secrets.ts';

/** A message for a tenant in the database `app`, with as little as there can be, unless it says other. */
export function tenantMessage(tenant: string, more: object = {}) {
  return {
    scope: 'tenant',
    tenant,
    displayName: `${tenant} Ltd`,
    contact: 'ops@example.com',
    plan: 'STARTER',
    target: { instance: localInstance, database: 'app' },
    ...more,
  };
}

/** A tenant that gets nothing beside its schema and login. */
export const lean = { features: { analytics: false, storage: false, apiKey: false } };

/** A tenant with a database of its own. */
export const ownDatabase = { isolation: 'database', target: { instance: localInstance } };

export interface TenantEnded extends Ended {
  readonly result?: Readonly<Record<string, unknown>>;
}

/** A stack, and what the tests of a file send to its function `bootstrap-tenant`. */
export interface TenantsStack {
  readonly stack: TestStack;
  readonly secrets: TestSecrets;
  /** Resolves with the record, once the message was dealt with. */
  send(message: object, options?: { readonly dryRun?: boolean; readonly id?: string }): Promise<TenantEnded>;
  /** The same of a message that succeeds. */
  done(message: object): Promise<TenantEnded>;
  /** The same of one that fails for good: its error. */
  refused(message: object, code: string): Promise<RecordedError>;
  /** Bootstraps a tenant. */
  create(tenant: string, more?: object): Promise<TenantEnded>;
  /** Removes it, with its confirmation. */
  remove(tenant: string, more?: object): Promise<TenantEnded>;
  tenant(tenant: string): Promise<TenantRecord>;
  /** The steps that there are, by name. */
  steps(tenant: string): Promise<Record<string, StepRecord>>;
  query(text: string, database?: string): Promise<Record<string, unknown>[]>;
  /** Connects as the tenant does, by its secret; to another database than its own, if one is given. */
  as<T>(tenant: string, use: (client: pg.Client) => Promise<T>, database?: string): Promise<T>;
}

/** @param prepare runs once, before the tests of the file */
export function useTenants(
  options: Partial<StackOptions> = {},
  prepare: (cloud: TenantsStack) => Promise<void> = async () => undefined,
): TenantsStack {
  let stack: TestStack;
  let secrets: TestSecrets;
  let sent = 0;
  const refOf = (tenant: string) => stack.db.collection('tenants').doc(tenantDocumentId(tenant));
  const cloud: TenantsStack = {
    get stack() {
      return stack;
    },
    get secrets() {
      return secrets;
    },
    async send(message, { dryRun = false, id = `tenant-${++sent}` } = {}) {
      await stack.send('bootstrap-tenant', message, { id, dryRun });
      return { ...(await stack.ended('bootstrap-tenant', id, dryRun)), id } as TenantEnded;
    },
    async done(message) {
      const record = await cloud.send(message);
      expect(record).toMatchObject({ state: 'succeeded' });
      return record;
    },
    async refused(message, code) {
      const record = await cloud.send(message);
      expect(record).toMatchObject({ state: 'failed', error: { code } });
      return record.error as RecordedError;
    },
    create: (tenant, more = {}) => cloud.done(tenantMessage(tenant, more)),
    async remove(tenant, more = {}) {
      const confirm = confirmationOf(await cloud.tenant(tenant));
      return cloud.done({ scope: 'remove', tenant, confirm, ...more });
    },
    async tenant(tenant) {
      return withDates((await refOf(tenant).get()).data()) as TenantRecord;
    },
    async steps(tenant) {
      const steps = await readSteps(refOf(tenant));
      return Object.fromEntries(steps.map((step) => [step.step, step]));
    },
    query: (text, database = 'app') => stack.query(database, text),
    async as(tenant, use, database) {
      const { place } = await cloud.tenant(tenant);
      const credential = await secrets.credential(place.secret, 'current');
      return connectedAs({ ...credential, ...(database === undefined ? {} : { database }) }, use);
    },
  };
  beforeAll(async () => {
    stack = await startTestStack({
      only: tenantFunctions,
      onLog: (_, l) => process.env['SHOW'] && console.log(l),
      ...options,
    });
    secrets = secretsOf(stack);
    await prepare(cloud);
  });
  afterEach(() => {
    for (const service of [stack.secretmanager, stack.kms, stack.firestore]) {
      if (service) service.intercept = undefined;
    }
    for (const service of [stack.storage, stack.bigquery]) if (service) service.intercept = undefined;
  });
  afterAll(async () => {
    await secrets?.close();
    await stack?.stop();
  });
  return cloud;
}
