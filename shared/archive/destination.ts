import { OperationError } from '../operation/errors.ts';
import { adminRole, roleName } from '../postgres/names.ts';
import { type Sql, sql } from '../postgres/sql.ts';
import { formatTarget, type Target } from '../postgres/target.ts';
import type { RoleOf } from './grants.ts';
import type { Manifest } from './manifest.ts';

/** What decides whether an archive can be restored to a database. */
export interface InspectedDestination {
  readonly serverVersion: number;
  readonly encoding: string;
  /** The database is Drover's own: the acting admin may let others create schemas in it. */
  readonly owned: boolean;
  readonly schemas: readonly {
    readonly name: string;
    readonly owner: string;
    readonly objects: readonly string[];
  }[];
  readonly extensions: readonly { readonly name: string; readonly schema: string }[];
  /** Of those that the archive speaks of. */
  readonly roles: readonly string[];
}

/** So many objects of a schema that isn't empty are named. */
const mostObjects = 10;

/** @param names of the archive's schemas here */
export function inspectDestination(
  manifest: Manifest,
  names: ReadonlyMap<string, string>,
  roleOf: RoleOf,
): Sql {
  const grantees = [
    ...manifest.schemas.flatMap(({ name, levels }) => levels.map((level) => ({ schema: name, level }))),
    ...manifest.grants.flatMap(({ to }) => to.map(({ grantee }) => grantee)),
    ...manifest.policies.flatMap(({ to }) => to),
  ];
  const roles = [...new Set(grantees.map(roleOf))];
  return sql`
SELECT jsonb_build_object(
  'serverVersion', current_setting('server_version_num')::int,
  'encoding', current_setting('server_encoding'),
  'owned', (SELECT pg_get_userbyid(datdba) = ${adminRole} FROM pg_catalog.pg_database WHERE datname = current_database()),
  'schemas', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'name', n.nspname, 'owner', pg_get_userbyid(n.nspowner),
             'objects', coalesce((
               SELECT jsonb_agg(object)
                 FROM (
                   SELECT pg_describe_object(d.classid, d.objid, 0) AS object
                     FROM pg_catalog.pg_depend d
                    WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid AND d.deptype = 'n'
                      AND d.classid <> 'pg_catalog.pg_extension'::regclass
                      AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_depend e
                         WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
                    ORDER BY object
                    LIMIT ${mostObjects}) few), '[]')))
      FROM pg_catalog.pg_namespace n
     WHERE n.nspname IN (${[...new Set([...names.keys(), ...names.values()])]})), '[]'),
  'extensions', coalesce((
    SELECT jsonb_agg(jsonb_build_object('name', x.extname, 'schema', n.nspname))
      FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace), '[]'),
  'roles', coalesce((
    SELECT jsonb_agg(rolname) FROM pg_catalog.pg_roles WHERE rolname IN (${[...roles, 'PUBLIC']})), '[]')
) AS inspected`;
}

/**
 * @throws OperationError `RESTORE_NOT_POSSIBLE` with every reason, `RESTORE_NOT_EMPTY`
 */
export function refuseDestination(
  manifest: Manifest,
  target: Target,
  names: ReadonlyMap<string, string>,
  found: InspectedDestination,
): void {
  const problems = [
    ...serverProblems(manifest, found),
    ...schemaProblems(target, names, found),
    ...extensionProblems(manifest, names, found),
  ];
  const where = formatTarget(target);
  if (problems.length > 0) {
    throw new OperationError(
      'RESTORE_NOT_POSSIBLE',
      `The archive can't be restored to ${where}: ${problems.join('; ')}.`,
      {
        details: { problems },
      },
    );
  }
  for (const schema of names.values()) {
    const objects = found.schemas.find(({ name }) => name === schema)?.objects ?? [];
    if (objects.length === 0) continue;
    throw new OperationError(
      'RESTORE_NOT_EMPTY',
      `The schema ${where}.${schema} is not empty: ${objects.join(', ')}. Nothing was restored.`,
      { details: { objects } },
    );
  }
}

function serverProblems({ source }: Manifest, { serverVersion, encoding }: InspectedDestination): string[] {
  const major = (version: number) => Math.floor(version / 10_000);
  const problems: string[] = [];
  if (major(serverVersion) < major(source.serverVersion)) {
    problems.push(
      `it was made by PostgreSQL ${major(source.serverVersion)}, and this is PostgreSQL ${major(serverVersion)}`,
    );
  }
  if (encoding !== source.encoding)
    problems.push(`its encoding is ${source.encoding}, and this one's ${encoding}`);
  return problems;
}

function schemaProblems(
  { database }: Target,
  names: ReadonlyMap<string, string>,
  { schemas, owned }: InspectedDestination,
): string[] {
  return [...names].flatMap(([archived, own]) => {
    if (archived !== own && !owned)
      return [`only in a database of Drover's own ${archived} can be restored under another name, as ${own}`];
    const owner = schemas.find(({ name }) => name === own)?.owner;
    const expected = roleName(database, own, 'owner');
    if (owner === undefined) return [`there is no schema ${own}: create it first`];
    if (owner !== expected) return [`the schema ${own} belongs to ${owner}, and not to ${expected}`];
    const taken = archived !== own && schemas.some(({ name }) => name === archived);
    return taken
      ? [`${own} has to be called ${archived} for a moment, and there is a schema of that name`]
      : [];
  });
}

function extensionProblems(
  manifest: Manifest,
  names: ReadonlyMap<string, string>,
  { extensions }: InspectedDestination,
): string[] {
  return manifest.extensions.flatMap(({ name, schema }) => {
    const wanted = names.get(schema) ?? schema;
    const there = extensions.find((extension) => extension.name === name);
    if (there === undefined)
      return [`there is no extension ${name}, which belongs into the schema ${wanted}`];
    return there.schema === wanted
      ? []
      : [`the extension ${name} is in ${there.schema}, and not in ${wanted}`];
  });
}
