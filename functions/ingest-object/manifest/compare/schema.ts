import { canonicalJson } from '../../../../shared/operation/canonical.ts';
import { hasRole, markerIn, markerRole } from '../../../../shared/postgres/grants/found.ts';
import { roleName, type SchemaLevel } from '../../../../shared/postgres/names.ts';
import type { DesiredSchema } from '../../../../shared/postgres/schema/model.ts';
import { desiredOf } from '../../../create-schema/message.ts';
import type { Catalog } from '../catalog.ts';
import type { SchemaDocument } from '../state.ts';
import type { WantedSchema } from '../wanted.ts';
import type { Where } from '../where.ts';
import type { Refusal } from './model.ts';

/**
 * What would change about a schema, in words; nothing where it is as wanted.
 *
 * That is: what was applied last says the same, nobody is at it, and the catalog has the schema with its owner and the roles of its
 * levels, which nobody has changed under a number that the registry doesn't know. What somebody changed by hand inside of it is
 * for `reconcile` to find, which compares each schema with all that is in it.
 */
export function compareSchema(
  wanted: WantedSchema,
  { target }: Where,
  document: SchemaDocument | undefined,
  catalog: Catalog | undefined,
): string[] {
  const { database } = target;
  const desired = desiredOf({ target, ...wanted.message });
  const name = `${database}.${wanted.schema}`;
  const levels = ['owner', ...desired.levels].join(', ');
  if (!catalog?.schemas.has(wanted.schema)) return [`create the schema ${name} with ${levels}`];
  const applied = document?.applied?.desired;
  if (document === undefined || applied === undefined) return [`bring the schema ${name} to ${levels}`];
  const open = document.intents.length > 0 ? [`${name}: another change to it is under way`] : [];
  return [
    ...differing(name, applied, desired),
    ...lacking(name, desired, document.appliedEpoch, catalog),
    ...open,
  ];
}

/** What was applied last, and what is to be. */
function differing(name: string, applied: DesiredSchema, desired: DesiredSchema): string[] {
  const fields = ['levels', 'owner', 'comment', 'adopt', 'lockDatabase'] as const;
  return fields.flatMap((field) => {
    const [is, shall] = [applied[field], desired[field]].map((value) =>
      Array.isArray(value) ? value.toSorted().join(', ') : value,
    );
    if (canonicalJson([is ?? null]) === canonicalJson([shall ?? null])) return [];
    return [`${name}: ${field} ${shown(is)} → ${shown(shall)}`];
  });
}

function shown(value: unknown): string {
  return value === undefined || value === '' ? 'none' : String(value);
}

/** What the catalog should have, and hasn't. */
function lacking(
  name: string,
  { database, schema, levels, owner, lockDatabase }: DesiredSchema,
  appliedEpoch: number,
  { schemas, grants }: Catalog,
): string[] {
  const { found, held } = grants;
  const scope = { database, schema };
  const ownerRole = roleName(database, schema, 'owner');
  const inherits = levels.some((level) => level !== 'owner' && level !== 'reader');
  const wantedLevels = new Set<SchemaLevel>(['owner', ...levels, ...(inherits ? ['reader' as const] : [])]);
  const ofDatabase = { database, schema: undefined };
  const databaseRoles = lockDatabase ? ['monitor', 'connect'] : ['monitor'];
  const epoch = markerIn(found, markerRole(scope))?.epoch ?? 0;
  return [
    ...(schemas.get(schema) === ownerRole ? [] : [`${name}: its owner is not ${ownerRole}`]),
    ...[...wantedLevels]
      .filter((level) => !hasRole(scope, level, found))
      .map((level) => `create the role ${roleName(database, schema, level)}`),
    ...databaseRoles
      .filter((level) => !hasRole(ofDatabase, level, found))
      .map((level) => `create the role ${roleName(database, undefined, level)}`),
    // What changed nothing left no mark, so an older one is as good.
    ...(epoch > appliedEpoch ? [`${name}: something was changed that the registry doesn’t know of`] : []),
    ...(owner === undefined || held.get(ownerRole)?.has(owner)
      ? []
      : [`let ${owner} act as the owner of ${name}`]),
  ];
}

/** What stands against a schema, as far as can be told beforehand. */
export function refuseSchema(
  wanted: WantedSchema,
  { target }: Where,
  catalog: Catalog | undefined,
): Refusal[] {
  const { schema, message } = wanted;
  const { database } = target;
  if (catalog === undefined || message.adopt || !catalog.schemas.has(schema)) return [];
  if (hasRole({ database, schema }, 'owner', catalog.grants.found)) return [];
  const text = `${database}.${schema} is there, and not Drover’s. If it is to be, say "adopt": true.`;
  return [{ code: 'SCHEMA_NOT_MANAGED', message: text }];
}
