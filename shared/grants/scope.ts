import type { OperationContext } from '../operation/definition.ts';
import type { DesiredGrants } from '../postgres/grants/model.ts';
import { type GrantSet, grantsCollection } from '../registry/grants/model.ts';
import type { Wanted } from '../registry/grants/outcome.ts';

/** Which set of grants: those of a schema, or null for the database's own roles. */
export type SetScope = Pick<GrantSet, 'instance' | 'database' | 'schema'>;

/** The document of a set. */
export function setRef(operation: Pick<OperationContext, 'registry'>, scope: SetScope) {
  const { instance, database, schema } = scope;
  // No schema is called that: a name is never empty.
  return operation.registry(grantsCollection, instance, database, schema ?? '');
}

/** A scope with what it has to be like, for the catalog's part. */
export function desiredOf(
  { database, schema }: SetScope,
  wanted: Wanted,
  fence: DesiredGrants['fence'],
): DesiredGrants {
  return { database, schema: schema ?? undefined, ...wanted, fence };
}
