import { auth, sqladmin, type sqladmin_v1, type sqladmin_v1beta4 } from '@googleapis/sqladmin';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import {
  type CloudSqlCluster,
  createCloudSqlCluster,
  localPassword,
} from '../../../local/postgres/cloudsql.ts';
import { type SqlAdmin, type SqlAdminOptions, startSqlAdmin } from '../../../local/sqladmin/server.ts';

export const instance = 'acme-dev:europe-west1:main';
export const principal = 'drover-test@acme-dev.iam.gserviceaccount.com';

/** Parameters that say which instance is meant. */
export const main = { project: 'acme-dev', instance: 'main' };

export type Operation = sqladmin_v1beta4.Schema$Operation;

/** One cluster and one Admin API for the tests of a file, with the official client. */
export interface Fixture {
  cluster: CloudSqlCluster;
  server: SqlAdmin;
  api: sqladmin_v1beta4.Sqladmin;
  /** Waits until an operation is over. */
  ended(operation: Operation): Promise<Operation>;
}

export function useAdminApi(options: Partial<SqlAdminOptions> = {}): Fixture {
  const fixture = {} as Fixture;
  beforeAll(async () => {
    // As everywhere; without it Google's libraries would look for the project at the metadata server.
    process.env['GOOGLE_CLOUD_PROJECT'] = 'acme-dev';
    process.env['METADATA_SERVER_DETECTION'] = 'none';
    fixture.cluster = await createCloudSqlCluster();
    fixture.server = await startAdminApi(fixture.cluster, options);
    fixture.api = clientOf(fixture.server);
    fixture.ended = (operation) => ended(fixture.api, operation);
  });
  afterEach(() => {
    fixture.server.intercept = undefined;
  });
  afterAll(async () => {
    await fixture.server.close();
    await fixture.cluster.remove();
  });
  return fixture;
}

export function startAdminApi(
  cluster: CloudSqlCluster,
  options: Partial<SqlAdminOptions> = {},
): Promise<SqlAdmin> {
  const superuserUrl = cluster.superuserUrl();
  return startSqlAdmin({
    instances: [{ name: instance, superuserUrl, loginPassword: localPassword }],
    ...options,
  });
}

/** The official client, acting as a principal. It repeats nothing by itself. */
export function clientOf(server: SqlAdmin, who = principal): sqladmin_v1beta4.Sqladmin {
  return sqladmin({ version: 'v1beta4', auth: authOf(server, who), rootUrl: server.url, retry: false });
}

/** The same of the API's version 1. */
export function clientV1Of(server: SqlAdmin): sqladmin_v1.Sqladmin {
  return sqladmin({ version: 'v1', auth: authOf(server, principal), rootUrl: server.url, retry: false });
}

function authOf({ url }: SqlAdmin, who: string) {
  const client = new auth.OAuth2();
  client.refreshHandler = async () => {
    const body = new URLSearchParams({ subject_token: who });
    const answer = await fetch(`${url}/token`, { method: 'POST', body });
    const { access_token, expires_in } = (await answer.json()) as {
      access_token: string;
      expires_in: number;
    };
    return { access_token, expiry_date: Date.now() + 1000 * expires_in };
  };
  return client;
}

async function ended(api: sqladmin_v1beta4.Sqladmin, { name }: Operation): Promise<Operation> {
  for (;;) {
    const { data } = await api.operations.get({ project: 'acme-dev', operation: name ?? '' });
    if (data.status === 'DONE') return data;
  }
}

/** What the client is told where a call is refused. */
export async function refusalOf(call: Promise<unknown>): Promise<{
  status: number;
  reason: string | undefined;
  message: string;
}> {
  const error = await call.then(
    () => expect.fail('the call was not refused'),
    (thrown: unknown) => thrown as { status: number; message: string; response: { data: ErrorBody } },
  );
  const { code, message, errors } = error.response.data.error;
  expect(code).toBe(error.status);
  return { status: error.status, reason: errors[0]?.reason, message };
}

interface ErrorBody {
  readonly error: {
    readonly code: number;
    readonly message: string;
    readonly errors: readonly { readonly reason: string }[];
  };
}

/** Holds every operation before it takes effect, until it is let go. */
export function holdOperations(server: SqlAdmin): { begun: Promise<void>; letGo: () => void } {
  const begun = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  server.intercept = ({ method, phase }) => {
    if (method !== 'Operation' || phase !== 'before') return undefined;
    begun.resolve();
    return going.promise;
  };
  return { begun: begun.promise, letGo: () => going.resolve() };
}
