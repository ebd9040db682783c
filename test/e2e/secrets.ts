import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { InterceptedCall, Interceptor } from '../../local/grpc/server.ts';
import type { StackOptions } from '../../local/stack.ts';
import type { RecordedError } from '../../shared/registry/operations.ts';
import { secretsOf, type TestSecrets } from '../support/secrets.ts';
import { secretFunctions, startTestStack, type TestStack, target } from '../support/stack.ts';
import { snapshot } from './catalog.ts';

/** What a message came to, as its record says. */
export interface Ended {
  readonly id: string;
  readonly state: string;
  readonly error?: RecordedError | null;
  readonly changes?: readonly { readonly kind: string; readonly name: string; readonly detail?: string }[];
  readonly notes?: readonly { readonly code: string; readonly message: string }[];
  readonly statements?: readonly string[];
  readonly summary?: Readonly<Record<string, number>>;
  readonly partial?: boolean;
}

interface SendOptions {
  readonly dryRun?: boolean;
}

/** A stack, and what the tests of a file send to its function `rotate-secret`. */
export interface SecretsStack {
  readonly stack: TestStack;
  readonly secrets: TestSecrets;
  /** Every value that got into Secret Manager; of a credential its password. */
  readonly values: ReadonlySet<string>;
  /** Holds up and refuses calls of Secret Manager, until the test ends. */
  intercept(call: Interceptor): void;
  query(text: string): Promise<Record<string, unknown>[]>;
  createSchema(schema: string, more?: object): Promise<void>;
  /** Resolves with the record, once the message was dealt with. */
  send(message: object, options?: SendOptions): Promise<Ended>;
  /** The same of a message that succeeds. */
  done(message: object): Promise<Ended>;
  /** The same of one that fails for good: its error. */
  refused(message: object, code: string): Promise<RecordedError>;
  /** Its plan. */
  planned(message: object): Promise<Ended>;
  /** Creates a database's secret: of `app.billing`'s writers, unless the message says other. */
  create(secret: string, more?: object): Promise<Ended>;
  /** The verifiers of logins, in their order. */
  verifiers(...logins: readonly string[]): Promise<unknown[]>;
  /** Secret Manager without values, the catalog with verifiers, and the registry. */
  everything(): Promise<{ secrets: unknown; catalog: unknown; registry: Record<string, unknown> }>;
  /** Expects that no value and no verifier is in anything that people and programs can look into. */
  leavesNoTrace(): Promise<void>;
}

/** @param prepare runs once, before the tests of the file */
export function useSecrets(
  options: Partial<StackOptions>,
  prepare: (cloud: SecretsStack) => Promise<void>,
): SecretsStack {
  let stack: TestStack;
  let secrets: TestSecrets;
  let sent = 0;
  let interceptor: Interceptor | undefined;
  const values = new Set<string>();
  const send = async (message: object, { dryRun = false }: SendOptions = {}): Promise<Ended> => {
    sent += 1;
    const id = `secret-${sent}`;
    await stack.send('rotate-secret', message, { id, dryRun });
    return { ...(await stack.ended('rotate-secret', id, dryRun)), id };
  };
  const documents = async () => {
    const collections = await stack.db.listCollections();
    const found = collections.map(async (collection) => {
      const { docs } = await collection.get();
      return [collection.id, docs.map((document) => ({ ...document.data(), id: document.id }))] as const;
    });
    return Object.fromEntries(await Promise.all(found));
  };
  const cloud: SecretsStack = {
    get stack() {
      return stack;
    },
    get secrets() {
      return secrets;
    },
    values,
    intercept(call) {
      interceptor = call;
    },
    query: (text) => stack.query('app', text),
    async createSchema(schema, more = {}) {
      await stack.send('create-schema', { target: target('app'), schema, ...more }, { id: schema });
      expect(await stack.ended('create-schema', schema)).toMatchObject({ state: 'succeeded' });
    },
    send,
    async done(message) {
      const record = await send(message);
      expect(record).toMatchObject({ state: 'succeeded' });
      return record;
    },
    async refused(message, code) {
      const record = await send(message);
      expect(record).toMatchObject({ state: 'failed', error: { code } });
      return record.error as RecordedError;
    },
    async planned(message) {
      const record = await send(message, { dryRun: true });
      expect(record).toMatchObject({ state: 'planned' });
      return record;
    },
    create: (secret, more = {}) => cloud.done(creation(secret, more)),
    async verifiers(...logins) {
      const rows = await cloud.query('SELECT rolname, rolpassword FROM pg_authid');
      return logins.map((login) => rows.find(({ rolname }) => rolname === login)?.['rolpassword']);
    },
    async everything() {
      const [[listed], catalog, passwords, { operations: _, ...registry }] = await Promise.all([
        secrets.client.listSecrets({ parent: `projects/${stack.environment['GOOGLE_CLOUD_PROJECT']}` }),
        snapshot(stack, 'app'),
        cloud.query(`SELECT rolname, rolpassword, setconfig FROM pg_authid
                       LEFT JOIN pg_db_role_setting ON setrole = pg_authid.oid ORDER BY 1, 3`),
        documents(),
      ]);
      const versions = listed.map(({ name }) => secrets.client.listSecretVersions({ parent: String(name) }));
      return {
        secrets: { listed, versions: (await Promise.all(versions)).map(([found]) => found) },
        catalog: { ...catalog, passwords },
        registry,
      };
    },
    async leavesNoTrace() {
      const { secrets: listed } = await cloud.everything();
      const places = [[...stack.logs], await documents(), [...stack.results], stack.events, listed];
      const text = JSON.stringify(places);
      expect(values.size).toBeGreaterThan(sent / 10);
      expect(text).toContain('"rotate-secret"');
      expect([...values].filter((value) => text.includes(value))).toEqual([]);
      expect(text).not.toContain('SCRAM-SHA-256$');
    },
  };
  beforeAll(async () => {
    stack = await startTestStack({ only: secretFunctions, ...options });
    secrets = secretsOf(stack);
    if (stack.secretmanager === undefined) throw new Error('these tests need a Secret Manager of their own');
    stack.secretmanager.intercept = (call) => {
      noteValue(call, values);
      return interceptor?.(call);
    };
    await prepare(cloud);
  });
  afterEach(() => {
    interceptor = undefined;
  });
  afterAll(async () => {
    await secrets?.close();
    await stack?.stop();
  });
  return cloud;
}

/** A message that asks for a secret of `app.billing`'s writers. */
export const creation = (secret: string, more: object = {}) => ({
  secret,
  action: 'create',
  kind: 'postgres',
  target: target('app'),
  schema: 'billing',
  level: 'writer',
  ...more,
});

/** A point in time, so many hours ago. */
export const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);

/** A secret's last rotation was so long ago that its grace period of a day is over. */
export const later = { rotatedAt: hoursAgo(25) };

/** What is to be found nowhere else: every value that gets into Secret Manager, of a credential its password. */
function noteValue({ method, phase, request }: InterceptedCall, values: Set<string>): void {
  if (method !== 'AddSecretVersion' || phase !== 'before') return;
  const { data } = request['payload'] as { data: Buffer };
  const text = data.toString();
  const password = /"password":"([^"]+)"/.exec(text)?.[1];
  values.add(password ?? text);
}

/** Of the calls about this secret. */
export function isAbout(call: InterceptedCall, method: string, secret: string, phase = 'before'): boolean {
  const { parent, name, secret: body } = call.request as Record<string, unknown>;
  const named = String(parent || name || (body as { name?: string } | undefined)?.name);
  return call.method === method && call.phase === phase && new RegExp(`/secrets/${secret}(/|$)`).test(named);
}
