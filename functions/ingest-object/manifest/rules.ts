import type * as z from 'zod';
import { nameProblem } from '../../../shared/postgres/principals.ts';
import type { Target } from '../../../shared/postgres/target.ts';
import { bootstrapTenantMessage } from '../../bootstrap-tenant/message.ts';
import { createSchemaMessage } from '../../create-schema/message.ts';
import { grantRolesMessage, roleOf } from '../../grant-roles/message.ts';
import { rotateSecretMessage } from '../../rotate-secret/message.ts';
import { inOrder } from './cycle.ts';
import type { Issue } from './issues.ts';
import { loginGrants, ownSchemaName, tenantPlace } from './logins.ts';
import { bounds, type Manifest } from './model.ts';
import { type Path, pathText } from './places.ts';
import { type RoleSet, roleSetsOf, setName } from './sets.ts';

type Report = (path: Path, message: string, at?: Issue['at']) => void;

/**
 * What is wrong with a manifest whose parts are right each by itself: how they fit together, and what the messages that are made
 * of it would be refused for.
 */
export function issuesBetween(manifest: Manifest): Issue[] {
  const issues: Issue[] = [];
  const report: Report = (path, message, at = 'value') => issues.push({ path, at, message });
  examinePlace(manifest, report);
  examineTenant(manifest, report);
  examineSchemas(manifest, report);
  examineOrder(manifest, report);
  const sets = roleSetsOf(manifest);
  for (const set of sets) examineRoles(manifest, set, report);
  const count = sets.reduce((sum, { grants }) => sum + grants.length, 0);
  if (count > bounds.grants) report([], `has ${count} grants: at most ${bounds.grants} are possible`);
  examineSecrets(manifest, sets, report);
  return issues;
}

function examinePlace({ database, tenant, lockDatabase, schemas }: Manifest, report: Report): void {
  if (database && tenant) report(['tenant'], 'has no place in the manifest of a database');
  if (!database && !tenant) report([], 'says neither which database nor which tenant it is about');
  if (lockDatabase && Object.keys(schemas).length === 0)
    report(['lockDatabase'], 'is done with a schema, and there is none');
}

function examineTenant(manifest: Manifest, report: Report): void {
  const { tenant, schemas, grants, secrets } = manifest;
  if (tenant === undefined) return;
  const { id, schema: _, ...rest } = tenant;
  check(bootstrapTenantMessage, { scope: 'tenant', tenant: id, ...rest }, report, ([field, ...more]) =>
    field === 'tenant' ? ['tenant', 'id'] : ['tenant', String(field), ...more],
  );
  const own = ownSchemaName(manifest);
  if (own !== undefined && Object.hasOwn(schemas, own))
    report(
      ['schemas', own],
      'is the tenant’s own schema: what is to be said of it is in tenant.schema',
      'key',
    );
  const { secret, apiKeySecret } = tenantPlace(tenant);
  for (const name of [secret, apiKeySecret ?? ''])
    if (Object.hasOwn(secrets, name)) report(['secrets', name], 'is a secret that every tenant has', 'key');
  if (tenant.schema?.exact && tenant.features?.opaqueNames) {
    const message =
      'is not possible with opaque names: its logins would lose their role, and have no known names';
    report(['tenant', 'schema', 'exact'], message);
  }
  if (tenant.isolation === 'database') return;
  const shared = 'has no place here: the tenant shares its database with others';
  if (Object.keys(schemas).length > 0) report(['schemas'], shared, 'key');
  if (manifest.lockDatabase) report(['lockDatabase'], shared, 'key');
  if (grants.length > 0) report(['grants'], shared, 'key');
  for (const [name, { kind, schema }] of Object.entries(secrets)) {
    if (kind !== 'postgres' || (schema !== undefined && schema === own)) continue;
    const message =
      own === undefined ? 'is not known: the tenant’s names are opaque' : `has to be ${own}, the tenant’s`;
    report(['secrets', name, 'schema'], message);
  }
}

function examineSchemas(manifest: Manifest, report: Report): void {
  const { schemas, lockDatabase } = manifest;
  for (const [schema, { owner, levels, comment, adopt, exact, grants = [] }] of Object.entries(schemas)) {
    const message = { target: targetOf(manifest), schema, owner, levels, comment, adopt, lockDatabase };
    check(createSchemaMessage, message, report, (path) => ['schemas', schema, ...path]);
    const keeps = grants.some(
      ({ principal, principals = [], level }) =>
        level === 'owner' && [principal, ...principals].includes(owner),
    );
    if (exact && owner !== undefined && !keeps) {
      report(
        ['schemas', schema, 'owner'],
        'is not among the grants, which are exact: add it with the level owner',
      );
    }
  }
}

function examineOrder({ schemas }: Manifest, report: Report): void {
  for (const [name, { after }] of Object.entries(schemas)) {
    after.forEach((other, index) => {
      const path = ['schemas', name, 'after', index];
      if (!Object.hasOwn(schemas, other)) report(path, `${other} is no schema of this manifest`);
      else if (after.indexOf(other) < index) report(path, 'is there twice');
    });
  }
  const ordered = inOrder(Object.keys(schemas), (name) => schemas[name]?.after ?? []);
  if (!('cycle' in ordered)) return;
  const [first = '', second = ''] = ordered.cycle;
  const index = schemas[first]?.after.indexOf(second) ?? 0;
  const shown = ordered.cycle.length > 12 ? [...ordered.cycle.slice(0, 10), '…', first] : ordered.cycle;
  report(['schemas', first, 'after', index], `is a cycle: ${shown.join(' → ')}`);
}

/** One set's grants and custom roles. */
function examineRoles(manifest: Manifest, set: RoleSet, report: Report): void {
  const { grants, customRoles, path, exact, isListed } = set;
  const about = { target: targetOf(manifest), ...(set.name === setName.database ? {} : { schema: 'any' }) };
  if (customRoles.length > 0) {
    const message = { ...about, mode: 'add', grants: [], customRoles };
    check(grantRolesMessage, message, report, (place) => [...path, ...place]);
  }
  customRoles.forEach(({ inherits }, index) => {
    const at = [...path, 'customRoles', index, 'inherits'];
    inherits.forEach((level, place) => {
      examineRole(manifest, set, { level }, (_, message) => report([...at, place], message));
    });
  });
  examineLines(set, report);
  const seen = new Map<string, Path>();
  for (const { wish, path: line, principal } of grants) {
    const message = { ...about, mode: 'add', grants: [wish] };
    check(grantRolesMessage, message, report, ([, , field, ...more]) => {
      if (field === undefined) return line;
      return field === 'principal' ? principal : [...line, field, ...more];
    });
    const problem = nameProblem(wish.kind, wish.principal);
    if (problem) report(principal, problem);
    examineRole(manifest, set, wish, (field, what) => report([...line, field], what));
    const key = JSON.stringify([wish.principal, roleOf(wish)]);
    const other = seen.get(key);
    if (other) report(principal, `is given ${roleOf(wish)} twice: by ${pathText(other)}, too`);
    else seen.set(key, line);
  }
  if (!exact) return;
  if (!isListed) {
    const message = 'takes every grant away where there are none: if that is meant, say "grants: []"';
    report([...path, 'exact'], message);
  }
  const most = bounds.exactGrants - loginGrants(manifest, set).length;
  if (grants.length > most) {
    report([...path, 'grants'], `are ${grants.length}: with exact at most ${most} are possible`, 'key');
  }
}

function examineLines({ entries, path }: RoleSet, report: Report): void {
  entries.forEach(({ principal, principals }, index) => {
    const line = [...path, 'grants', index];
    if (principal === undefined && principals === undefined) report(line, 'names no principal');
    if (principal !== undefined && principals !== undefined)
      report([...line, 'principals'], 'is one too many: there is a principal', 'key');
  });
}

/** Whether the roles of a schema that the manifest makes have one; what other schemas have, nobody knows here. */
function examineRole(
  { schemas }: Manifest,
  { name, customRoles }: Pick<RoleSet, 'name' | 'customRoles'>,
  { level, customRole }: { readonly level?: string | undefined; readonly customRole?: string | undefined },
  report: (field: 'level' | 'customRole', message: string) => void,
): void {
  if (customRole !== undefined && !customRoles.some((role) => role.name === customRole))
    report('customRole', `${customRole} is none of the schema’s customRoles`);
  const levels: readonly string[] | undefined = Object.hasOwn(schemas, name)
    ? schemas[name]?.levels
    : undefined;
  const isOfSchema = level !== undefined && level !== 'owner' && level !== 'monitor';
  if (isOfSchema && levels !== undefined && !levels.includes(level))
    report('level', `${level} is none of the schema’s levels`);
}

function examineSecrets(manifest: Manifest, sets: readonly RoleSet[], report: Report): void {
  const own = ownSchemaName(manifest);
  for (const [secret, entry] of Object.entries(manifest.secrets)) {
    const at = ['secrets', secret];
    const place = entry.kind === 'postgres' ? { target: targetOf(manifest) } : {};
    check(
      rotateSecretMessage,
      { secret, action: 'create', ...entry, ...place },
      report,
      ([field, ...more]) => (field === 'secret' ? at : [...at, String(field), ...more]),
    );
    const { schema } = entry;
    if (schema === undefined || (schema !== own && !Object.hasOwn(manifest.schemas, schema))) continue;
    const name = schema === own ? setName.own : schema;
    const { customRoles } = sets.find((set) => set.name === name) ?? { customRoles: [] };
    examineRole(manifest, { name, customRoles }, entry, (field, what) => report([...at, field], what));
  }
}

/** Reports what a message would be refused for, where the manifest says it. */
function check(
  schema: z.ZodType,
  message: unknown,
  report: Report,
  place: (path: readonly PropertyKey[]) => Path,
): void {
  const { error } = schema.safeParse(message);
  for (const issue of error?.issues ?? []) report(place(issue.path), issue.message);
}

/** Of a tenant what it is likely to be: which it is, is none of a manifest's business. */
function targetOf({ database, tenant }: Manifest): Target | undefined {
  if (database || !tenant) return database;
  return {
    instance: tenant.target.instance,
    database: tenant.target.database ?? tenantPlace(tenant).database,
  };
}
