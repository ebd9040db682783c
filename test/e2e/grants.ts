import { afterAll, beforeAll, expect } from 'vitest';
import type { StackOptions } from '../../local/stack.ts';
import type { GrantSet } from '../../shared/registry/grants/model.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import { grantFunctions, startTestStack, type TestStack, target } from '../support/stack.ts';
import { snapshot } from './catalog.ts';
import { membersOf, registryOf } from './members.ts';

export const login = (principal: string, level: string, more = {}) => ({
  principal,
  kind: 'login',
  level,
  ...more,
});

/** Of a custom role. */
export const member = (principal: string, customRole: string, more = {}) => ({
  principal,
  kind: 'login',
  customRole,
  ...more,
});

export const user = (principal: string, level = 'reader') => ({ principal, kind: 'iam-user', level });

/** Of a message with this place among others about the same. */
export const at = (revision: number) => ({ attributes: { revision: String(revision) } });

interface SendOptions {
  readonly dryRun?: boolean;
  readonly attributes?: Record<string, string>;
}

/** A stack, and what the tests of a file send to its function `grant-roles`: about `app.billing` unless they say other. */
export interface GrantsStack {
  readonly stack: TestStack;
  query(text: string): Promise<Record<string, unknown>[]>;
  createSchema(database: string, schema: string, more?: object): Promise<void>;
  /** Resolves with the record, once the message was dealt with. */
  send(message: object, options?: SendOptions): Promise<OperationRecord>;
  /** Begins a test with these members and no others, whatever the one before left. */
  begin(grants: object[], schema?: string): Promise<void>;
  members(schema?: string | null, database?: string): Promise<string[]>;
  registry(schema?: string | null, database?: string): Promise<GrantSet>;
  /** The catalog, and the registry without the numbers of attempts. */
  everything(): Promise<{ catalog: unknown; sets: object[] }>;
}

/** @param prepare runs once, before the tests of the file */
export function useGrants(
  options: Partial<StackOptions>,
  prepare: (cloud: GrantsStack) => Promise<void>,
): GrantsStack {
  let stack: TestStack;
  let sent = 0;
  const cloud: GrantsStack = {
    get stack() {
      return stack;
    },
    query: (text) => stack.query('app', text),
    async createSchema(database, schema, more = {}) {
      const id = `${database}-${schema}`;
      await stack.send('create-schema', { target: target(database), schema, ...more }, { id });
      expect(await stack.ended('create-schema', id)).toMatchObject({ state: 'succeeded' });
    },
    async send(message, { dryRun = false, attributes = {} } = {}) {
      sent += 1;
      const id = `grants-${sent}`;
      const whole = { target: target('app'), schema: 'billing', ...message };
      await stack.send('grant-roles', whole, { id, dryRun, attributes });
      return stack.ended('grant-roles', id, dryRun);
    },
    async begin(grants, schema = 'billing') {
      const record = await cloud.send({ schema, mode: 'exact', allowEmpty: true, grants });
      expect(record).toMatchObject({ state: 'succeeded' });
    },
    members: (schema = 'billing', database = 'app') => membersOf(stack, database, schema),
    registry: (schema = 'billing', database = 'app') => registryOf(stack, database, schema),
    async everything() {
      const { docs } = await stack.db.collection('grants').get();
      const sets = docs
        .map((document) => ({ ...document.data(), id: document.id, epoch: 0, appliedEpoch: 0 }) as object)
        // A wish that was refused may leave a document that says nothing.
        .filter((set) => 'grants' in set && Object.keys(set.grants as object).length > 0);
      return { catalog: await snapshot(stack, 'app'), sets };
    },
  };
  beforeAll(async () => {
    stack = await startTestStack({ only: grantFunctions, ...options });
    await prepare(cloud);
  });
  afterAll(() => stack.stop());
  return cloud;
}
