import type { BigQuery } from '@google-cloud/bigquery';
import type { Bucket } from '@google-cloud/storage';
import { localInstance, localProject } from '../../local/stack.ts';
import { hash } from '../../shared/operation/canonical.ts';
import type { TenantRecord } from '../../shared/registry/tenants/model.ts';
import { logsIn, type TestSecrets } from '../support/secrets.ts';
import type { ChaosStack } from './stack.ts';

export const modes = ['schema', 'database'] as const;

export type Mode = (typeof modes)[number];

/** All that there is of a tenant, or is left of it. */
export interface TenantState {
  readonly state: string | undefined;
  readonly holder: string | null | undefined;
  readonly failure: unknown;
  /** In PostgreSQL: databases, schemas, roles and logins. */
  readonly catalog: readonly string[];
  /** In Secret Manager: enabled versions of its credential, each with whether it logs in. */
  readonly versions: readonly { readonly number: number; readonly works: boolean }[];
  readonly secrets: readonly string[];
  readonly datasets: readonly string[];
  /** In the tenants' bucket. */
  readonly objects: readonly string[];
  /** In the registry: of its schema, its grants, its secrets and its quota. */
  readonly registry: readonly string[];
  /** API keys that weren't revoked. */
  readonly keys: number;
}

interface Cloud {
  readonly stack: ChaosStack;
  readonly secrets: TestSecrets;
  readonly bigquery: BigQuery;
  /** The tenants' bucket. */
  readonly tenants: Bucket;
  readonly tenant: (tenant: string) => Promise<TenantRecord>;
}

export async function lookAt(cloud: Cloud, id: string): Promise<TenantState> {
  const { stack, secrets, bigquery, tenants } = cloud;
  const record = await cloud.tenant(id);
  const [catalog, versions, [listed], [datasets], [objects], registry, keys] = await Promise.all([
    catalogOf(stack, id),
    versionsOf(secrets, `tenant-${id}-database`),
    secrets.client.listSecrets({ parent: `projects/${localProject}` }),
    bigquery.getDatasets(),
    tenants.getFiles({ prefix: `tenants/${id}/` }),
    registryOf(stack, record),
    liveKeys(stack, id),
  ]);
  return {
    state: record.state,
    holder: record.holder,
    failure: record.failure,
    catalog,
    versions,
    secrets: listed
      .flatMap(({ name }) => name?.split('/').at(-1) ?? [])
      .filter((one) => one.startsWith(`tenant-${id}-`))
      .sort(),
    datasets: datasets.flatMap((one) => one.id ?? []).filter((one) => one === `tenant_${id}`),
    objects: objects.map(({ name }) => name.slice(`tenants/${id}/`.length)),
    registry,
    keys,
  };
}

/** What is called after a tenant. */
async function catalogOf(stack: ChaosStack, id: string): Promise<string[]> {
  const found = await stack.query(
    'app',
    `SELECT 'database ' || datname AS name FROM pg_database WHERE datname = 'tenant_${id}' UNION ALL
     SELECT 'role ' || rolname FROM pg_roles WHERE rolname ~ '(^|__)tenant_${id}_' UNION ALL
     SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname = 'tenant_${id}'`,
  );
  return found.map(({ name }) => String(name)).sort();
}

async function versionsOf(secrets: TestSecrets, secret: string): Promise<TenantState['versions']> {
  const found = await secrets.versions(secret).catch(() => []);
  const enabled = found.filter(({ state }) => state === 'ENABLED').map(({ number }) => number);
  return Promise.all(
    enabled.map(async (number) => ({
      number,
      works: await logsIn(await secrets.credential(secret, number)),
    })),
  );
}

async function registryOf({ db }: ChaosStack, { tenant, place }: TenantRecord): Promise<string[]> {
  if (place === undefined) return [];
  const { instance, database, schema, secret } = place;
  const documents = [
    ['schemas', instance, database, schema],
    ['grants', instance, database, schema],
    ['secrets', secret],
    ['secrets', `tenant-${tenant}-api-key`],
    ['quotas', tenant],
  ] as const;
  const found = await db.getAll(...documents.map(([collection, ...key]) => db.doc(path(collection, ...key))));
  return found.filter(({ exists }) => exists).map(({ ref }) => ref.parent.id);
}

async function liveKeys({ db }: ChaosStack, tenant: string): Promise<number> {
  const keys = db.collection('apiKeys').where('tenant', '==', tenant).where('revokedAt', '==', null);
  return (await keys.get()).size;
}

/** Of a document, by the thing it is about. */
function path(collection: string, ...key: readonly string[]): string {
  return `${collection}/${hash(...key).slice(0, 40)}`;
}

const patterns = new Map<string, RegExp>();

/** Whether a call is about a tenant or something of it. */
export function isAbout(about: string, tenant: string): boolean {
  const pattern = patterns.get(tenant) ?? patternOf(tenant);
  patterns.set(tenant, pattern);
  return pattern.test(about);
}

function patternOf(tenant: string): RegExp {
  const documents = [
    path('tenants', tenant),
    ...['schemas', 'grants'].flatMap((collection) => [
      path(collection, localInstance, 'app', `tenant_${tenant}`),
      path(collection, localInstance, `tenant_${tenant}`, 'app'),
    ]),
  ];
  const names = [...documents, `tenant_${tenant}`, `tenant-${tenant}`, `/${tenant}`, `of ${tenant}`];
  return new RegExp(`(?:${names.join('|')})(?![a-z0-9])`);
}

/** What there is of a tenant that is whole. */
export function whole(tenant: string, mode: Mode, isFilled = false): TenantState {
  const place = mode === 'schema' ? `app__tenant_${tenant}` : `tenant_${tenant}__app`;
  const levels = ['analyst', 'owner', 'reader', 'writer'].map((level) => `role ${place}__${level}`);
  const logins = ['a', 'b'].map((which) => `role tenant_${tenant}_${which}`);
  const content =
    mode === 'schema'
      ? [`schema tenant_${tenant}`]
      : [
          `database tenant_${tenant}`,
          ...['connect', 'monitor'].map((level) => `role tenant_${tenant}__${level}`),
        ];
  return {
    state: 'active',
    holder: null,
    failure: null,
    catalog: [...content, ...levels, ...logins].sort(),
    versions: [{ number: 1, works: true }],
    secrets: [`tenant-${tenant}-api-key`, `tenant-${tenant}-database`],
    datasets: [`tenant_${tenant}`],
    objects: ['.tenant.json', ...(isFilled ? ['photos/a.jpg'] : [])],
    registry: ['schemas', 'grants', 'secrets', 'secrets', 'quotas'],
    keys: 1,
  };
}

/** What is left of a tenant that is gone, or never came to be. */
export const nothingLeft = {
  holder: null,
  catalog: [],
  versions: [],
  secrets: [],
  datasets: [],
  objects: [],
  registry: [],
  keys: 0,
};
