import { status } from '@grpc/grpc-js';
import { tenantSteps } from '../../functions/bootstrap-tenant/steps/all.ts';
import { GrpcError } from '../../local/grpc/server.ts';
import { ApiError } from '../../local/http/api-error.ts';
import { reached, watch } from './points.ts';
import type { ChaosStack } from './stack.ts';
import { isAbout, type Mode } from './tenant-state.ts';

/** Something that goes wrong with one tenant. */
export interface Fault {
  readonly tenant: string;
  readonly mode?: Mode;
  readonly what: string;
  readonly step: string;
  /** Of the error that is recorded. */
  readonly code: string;
  /** The call that fails; in PostgreSQL, CREATE SCHEMA fails with the SQLSTATE. */
  readonly call?: string;
  /** In what the call is about, if not the tenant alone. */
  readonly named?: string;
  readonly error: Error | { readonly sqlstate: string };
}

const denied = (step: string) => ({ step, code: 'GOOGLE_PERMISSION_DENIED' });
export const away = (step: string) => ({ step, code: 'GOOGLE_UNAVAILABLE' });
const forbidden = new ApiError(403, 'forbidden', 'The service account does not have this permission.');
export const unavailable = new ApiError(503, 'backendError', 'Service Unavailable');
export const grpc = {
  denied: new GrpcError(status.PERMISSION_DENIED, 'denied'),
  away: new GrpcError(status.UNAVAILABLE, 'away'),
};

export const refusals: readonly Fault[] = [
  {
    tenant: 'deny_dataset',
    what: 'BigQuery denies the dataset',
    call: 'BigQuery: datasets.insert',
    error: new ApiError(403, 'accessDenied', 'Access Denied: Project acme-dev'),
    ...denied('dataset'),
  },
  {
    tenant: 'deny_storage',
    mode: 'database',
    what: 'Cloud Storage denies the place',
    call: 'Storage: objects.insert',
    error: forbidden,
    ...denied('storage'),
  },
  {
    tenant: 'deny_secret',
    what: 'Secret Manager denies the credential',
    call: 'Secret Manager: AddSecretVersion',
    named: 'tenant-deny_secret-database',
    error: grpc.denied,
    ...denied('login'),
  },
  {
    tenant: 'deny_key',
    what: 'Cloud KMS denies the key',
    call: 'KMS: Encrypt',
    error: grpc.denied,
    ...denied('api-key'),
  },
  ...(['schema', 'database'] as const).map((mode) => ({
    tenant: `deny_${mode}`,
    mode,
    what: `PostgreSQL refuses the schema (isolation by ${mode})`,
    step: 'schema',
    code: 'PERMISSION_DENIED',
    error: { sqlstate: '42501' },
  })),
];

export const outages: readonly Fault[] = [
  {
    tenant: 'away_dataset',
    what: 'BigQuery is away',
    call: 'BigQuery: datasets.insert',
    error: unavailable,
    ...away('dataset'),
  },
  {
    tenant: 'away_storage',
    what: 'Cloud Storage is away',
    call: 'Storage: objects.insert',
    error: unavailable,
    ...away('storage'),
  },
  {
    tenant: 'away_secret',
    what: 'Secret Manager is away from the secret',
    call: 'Secret Manager: CreateSecret',
    named: 'tenant-away_secret-database',
    error: grpc.away,
    ...away('login'),
  },
  {
    tenant: 'away_version',
    mode: 'database',
    what: 'Secret Manager is away from the value',
    call: 'Secret Manager: AddSecretVersion',
    named: 'tenant-away_version-database',
    error: grpc.away,
    ...away('login'),
  },
  {
    tenant: 'away_key',
    what: 'Cloud KMS is away',
    call: 'KMS: Encrypt',
    error: grpc.away,
    step: 'api-key',
    // The client tries for some seconds.
    code: 'GOOGLE_DEADLINE_EXCEEDED',
  },
  ...(['schema', 'database'] as const).map((mode) => ({
    tenant: `full_${mode}`,
    mode,
    what: `the disk is full (isolation by ${mode})`,
    step: 'schema',
    code: 'DATABASE_OVERLOADED',
    error: { sqlstate: '53100' },
  })),
];

/** What a step comes after, however far. */
function comesAfter(step: string): string[] {
  const needs = tenantSteps.find(({ name }) => name === step)?.needs ?? [];
  return [...needs, ...needs.flatMap(comesAfter)];
}

/** Steps that can be done although one isn't. */
export const others = ({ step, mode = 'schema' }: Fault) =>
  tenantSteps
    .map(({ name }) => name)
    .filter((name) => name !== step && !comesAfter(name).includes(step))
    .filter((name) => !name.startsWith('restore') && (name !== 'database' || mode === 'database'));

/** Resolves when all else of a tenant is made. */
function othersDone(stack: ChaosStack, fault: Fault): Promise<unknown> {
  const isMeant = (about: string) => isAbout(about, fault.tenant);
  return Promise.all(
    others(fault).map((name) => reached(stack, `Firestore: step ${name} done`, 'after', isMeant)),
  );
}

/**
 * Makes what has to go wrong do so, once all else is made.
 *
 * @param before looks at what there is by then
 * @returns ends that
 */
export function cause(
  stack: ChaosStack,
  fault: Fault,
  before: () => Promise<void> = async () => undefined,
): () => void {
  const { tenant, call, named, error } = fault;
  const done = othersDone(stack, fault).then(before);
  return watch(stack, async (point) => {
    const { phase, about } = point;
    if (phase !== 'before' || !isAbout(about, tenant)) return;
    if (call === undefined) {
      if (point.call === 'PostgreSQL: CREATE SCHEMA') await done;
      return;
    }
    if (point.call !== call || (named !== undefined && !about.includes(named))) return;
    await done;
    throw error;
  });
}

/** Has PostgreSQL refuse schemas. */
export async function refuseSchemas(stack: ChaosStack, faults: readonly Fault[]): Promise<void> {
  const refused = faults.flatMap(({ tenant, mode = 'schema', error }) => {
    const database = mode === 'schema' ? 'app' : `tenant_${tenant}`;
    return 'sqlstate' in error
      ? [{ database, schema: mode === 'schema' ? `tenant_${tenant}` : 'app', ...error }]
      : [];
  });
  const conditions = refused.map(
    ({ database, schema, sqlstate }) =>
      `IF current_database() = '${database}' AND current_query() LIKE '%"${schema}"%' THEN
         RAISE EXCEPTION 'a fault of this test' USING ERRCODE = '${sqlstate}';
       END IF;`,
  );
  const text = `
    CREATE OR REPLACE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS
      $$ BEGIN ${conditions.join(' ')} END $$;
    CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION public.refuse()`;
  // Databases that are made are copies of the template.
  for (const database of ['app', 'template1']) await stack.query(database, text);
}

export async function allowSchemas(stack: ChaosStack, faults: readonly Fault[]): Promise<void> {
  const own = faults.flatMap(({ tenant, mode, error }) =>
    mode === 'database' && 'sqlstate' in error ? [`tenant_${tenant}`] : [],
  );
  for (const database of ['app', 'template1', ...own]) {
    const [found] = await stack.query('postgres', `SELECT FROM pg_database WHERE datname = '${database}'`);
    if (found) await stack.query(database, 'DROP EVENT TRIGGER IF EXISTS refuse');
  }
}
