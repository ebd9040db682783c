import { loginsFor } from '../../../shared/secrets/login-names.ts';
import { ownSchema, placeOf } from '../../../shared/tenants/place.ts';
import type { GrantWish } from '../../grant-roles/message.ts';
import type { Manifest, SecretEntry } from './model.ts';
import { type RoleSet, setName } from './sets.ts';

/** What the logins of secrets are called that are there, by the secrets' ids: those that were adopted have names of their own. */
export type Logins = ReadonlyMap<string, readonly string[]>;

/** What the schema of a manifest's tenant is called; undefined where there is no tenant, or nobody knows. */
export function ownSchemaName({ tenant }: Manifest): string | undefined {
  if (tenant === undefined) return undefined;
  if (tenant.isolation === 'database') return ownSchema;
  return tenant.features?.opaqueNames ? undefined : tenantPlace(tenant).schema;
}

/** The secrets of a manifest whose logins get a role of a set: their ids, and what they say. */
export function secretsIn(manifest: Manifest, { name }: RoleSet): [id: string, secret: SecretEntry][] {
  const schema = name === setName.own ? ownSchemaName(manifest) : name;
  return Object.entries(manifest.secrets).filter(
    ([, secret]) => secret.kind === 'postgres' && schema !== undefined && secret.schema === schema,
  );
}

/**
 * The grants that a set which is `exact` has beside those of its lines: without them, applications would lose what their
 * credentials are for.
 */
export function loginGrants(manifest: Manifest, set: RoleSet, known: Logins = new Map()): GrantWish[] {
  const { tenant } = manifest;
  const own =
    set.name === setName.own && tenant !== undefined
      ? tenantPlace(tenant).logins.map((principal) => login(principal, { level: tenant.level ?? 'owner' }))
      : [];
  const ofSecrets = secretsIn(manifest, set).flatMap(([id, { strategy = 'two-user', level, customRole }]) =>
    (known.get(id) ?? loginsFor(id, strategy)).map((principal) =>
      login(principal, level ? { level } : { customRole }),
    ),
  );
  return [...own, ...ofSecrets];
}

function login(principal: string, role: Pick<GrantWish, 'level' | 'customRole'>): GrantWish {
  return { principal, kind: 'login', ...role };
}

/** What it is called where its names aren't opaque. */
export function tenantPlace({ id, isolation = 'schema', target }: NonNullable<Manifest['tenant']>) {
  const features = { analytics: true, storage: false, apiKey: true, opaqueNames: false };
  const { instance, database } = target;
  return placeOf({ tenant: id, isolation, instance, database, features }, { DROVER_TENANTS_BUCKET: '' });
}
