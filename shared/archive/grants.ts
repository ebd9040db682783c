import { identifier, keyword, qualified, Sql, sql } from '../postgres/sql.ts';
import type { Grantee, Grants, Manifest, Policy } from './manifest.ts';

/** The name of a grantee's role in the database that is restored to. */
export type RoleOf = (grantee: Grantee) => string;

export interface RestoredAccess {
  readonly roleOf: RoleOf;
  /** Whether there is such a role. */
  readonly has: (role: string) => boolean;
  /** What could not be granted, in people's words. */
  readonly leftOut: string[];
}

/**
 * Gives the archive's roles what they had on some objects, and nothing else: what new objects come with is taken away
 * first. On a schema they get what they had besides what they have.
 */
export function grantStatements(
  { on, schema, names, column, to }: Grants,
  { schemas }: Pick<Manifest, 'schemas'>,
  { roleOf, has, leftOut }: RestoredAccess,
): Sql[] {
  const things = sql`${keyword(on)} ${names.map((name) => Sql.of(name))}`;
  const columns = column === undefined ? sql`` : sql` (${identifier(column)})`;
  const written = (grantee: Grantee) =>
    grantee === 'PUBLIC' ? Sql.of('PUBLIC') : identifier(roleOf(grantee));
  const present = (grantee: Grantee) => grantee === 'PUBLIC' || has(roleOf(grantee));

  const levels = schemas.find(({ name }) => name === schema)?.levels ?? [];
  const owns = ({ schema: of, level }: Exclude<Grantee, 'PUBLIC'>) => of === schema && level === 'owner';
  // The owner's own rights are told of only where he has not all of them.
  const limited = to.some(({ grantee }) => grantee !== 'PUBLIC' && owns(grantee));
  const all: Grantee[] = ['PUBLIC', ...levels.map((level) => ({ schema, level }))];
  const losing = all.filter(
    (grantee) => present(grantee) && (grantee === 'PUBLIC' || limited || !owns(grantee)),
  );
  const revoke =
    on === 'SCHEMA' || column !== undefined ? [] : [sql`REVOKE ALL ON ${things} FROM ${losing.map(written)}`];

  const grants = to.flatMap(({ grantee, privileges, grantable }) => {
    if (!present(grantee)) {
      leftOut.push(
        `${privileges.join(', ')} on ${on.toLowerCase()} ${names.join(', ')} to ${roleOf(grantee)}`,
      );
      return [];
    }
    const rights = privileges.map((privilege) => sql`${keyword(privilege)}${columns}`);
    return [
      sql`GRANT ${rights} ON ${things} TO ${written(grantee)}${Sql.of(grantable ? ' WITH GRANT OPTION' : '')}`,
    ];
  });
  return [...revoke, ...grants];
}

/** A policy for nobody is none: left out, with those of its roles that aren't there. */
export function policyStatements(
  { schema, table, name, permissive, command, to, using, check, comment }: Policy,
  { roleOf, has, leftOut }: RestoredAccess,
): Sql[] {
  const on = sql`${identifier(name)} ON ${qualified(schema, table)}`;
  const roles = to.flatMap((grantee) => {
    if (grantee === 'PUBLIC') return [Sql.of('PUBLIC')];
    const role = roleOf(grantee);
    if (has(role)) return [identifier(role)];
    leftOut.push(`policy ${name} on table ${schema}.${table} for ${role}`);
    return [];
  });
  if (roles.length === 0) return [];
  const create = sql`
CREATE POLICY ${on}
    AS ${keyword(permissive ? 'PERMISSIVE' : 'RESTRICTIVE')} FOR ${keyword(command)} TO ${roles}${
      using === null ? sql`` : sql` USING (${Sql.of(using)})`
    }${check === null ? sql`` : sql` WITH CHECK (${Sql.of(check)})`}`;
  return comment === null ? [create] : [create, sql`COMMENT ON POLICY ${on} IS ${comment}`];
}
