import type { Change } from '../../operation/outcome.ts';
import { parseMarker } from '../marker.ts';
import { adminRole } from '../names.ts';
import { identifier, keyword, Sql, sql } from '../sql.ts';
import type { PlanBasis } from './change.ts';
import type { InspectedDatabase, InspectedPlace, OwnedObjects } from './inspect.ts';
import { listed } from './model.ts';
import type { Reach } from './principal.ts';

/** Where what the principal owns goes. */
export interface OwnershipPlan {
  /** Nothing stays. */
  readonly complete: boolean;
  /** What stays, in people's words. */
  readonly left: readonly string[];
  /** What an admin has to run for it before REASSIGN OWNED. */
  readonly statements: readonly Sql[];
}

/** A schema that `drover_admin` may not create in, and who can let it. */
interface ClosedPlace {
  readonly place: InspectedPlace;
  readonly lender: Reach | undefined;
}

const complete: OwnershipPlan = { complete: true, left: [], statements: [] };

/**
 * What is in a schema that Drover manages becomes its owner role's, everything else `drover_admin`'s: it is the one role
 * that Drover can make the owner of anything, and whoever is its member can pass things on. Nothing is dropped.
 */
export function planOwnership(basis: PlanBasis<InspectedDatabase>): OwnershipPlan {
  const { role, found } = basis;
  if (found.owned.length === 0) return complete;
  const managed = found.places.filter((place) => isManaged(found.database, place));
  const inManaged = (one: OwnedObjects) => managed.find(({ name }) => name === one.schema);
  const rest = found.owned.filter((one) => inManaged(one) === undefined);
  const toOwners = managed.flatMap((place) =>
    found.owned.filter(({ schema }) => schema === place.name).map((objects) => ({ objects, place })),
  );
  if (role.admin === null) {
    const statements = toOwners.flatMap(({ objects, place }) => transfer(objects, place.owner));
    return {
      complete: false,
      left: found.owned.map(counted),
      statements: [...statements, ...takeOver(rest)],
    };
  }

  for (const { objects, place } of toOwners) moveToOwner(basis, role.admin, objects, place);
  const closed = found.places
    .filter(
      ({ name, adminCreates }) => !adminCreates && rest.some((one) => one.creates && one.schema === name),
    )
    .map((place): ClosedPlace => ({ place, lender: lenderOf(basis, place) }));
  const shut = closed.filter(({ lender }) => lender === undefined);
  if (shut.length > 0 || rest.some(({ movable }) => !movable)) {
    const open = shut.map(({ place }) => letCreate(place));
    return { complete: false, left: rest.map(counted), statements: [...open, ...takeOver(rest)] };
  }
  if (rest.length > 0) moveToAdmin(basis, role.admin, rest, closed);
  return complete;
}

/** Whether the schema is one of Drover's and its owner role can take things over. */
function isManaged(
  database: string,
  { name, owner, comment, acting, ownerCreates }: InspectedPlace,
): boolean {
  const marker = parseMarker(comment);
  const ours = marker?.level === 'owner' && marker.database === database && marker.schema === name;
  return ours && owner !== adminRole && acting !== null && ownerCreates;
}

/** Who may let `drover_admin` create in a schema for a moment: its owner, or the principal. */
function lenderOf({ principal, role }: PlanBasis<unknown>, place: InspectedPlace): Reach | undefined {
  const { own, ownerReach, principalGrants } = place;
  if (own) return undefined;
  if (ownerReach.settable || ownerReach.admin !== null) return ownerReach;
  return principalGrants ? { role: principal, settable: false, admin: role.admin } : undefined;
}

/** By the schema's acting admin, who may make things the owner role's. */
function moveToOwner(
  { principal, script }: PlanBasis<unknown>,
  admin: string,
  objects: OwnedObjects,
  { acting, owner }: InspectedPlace,
): void {
  if (acting === null || objects.followsTable) return;
  script.lend(principal, admin, acting);
  for (const statement of transfer(objects, owner)) script.run(acting, statement);
  script.changes.push(transferred(objects, owner));
}

function moveToAdmin(
  { principal, script }: PlanBasis<unknown>,
  admin: string,
  rest: readonly OwnedObjects[],
  closed: readonly ClosedPlace[],
): void {
  script.lend(principal, admin);
  // Before what is in them: then their new owner may create there.
  for (const schemas of rest.filter(({ type }) => type === 'schema')) {
    for (const statement of transfer(schemas, adminRole)) script.run(admin, statement);
  }
  const lending = (statement: (place: InspectedPlace) => Sql) => {
    for (const { place, lender } of closed) {
      if (lender !== undefined && script.reach(lender)) script.run(lender.role, statement(place));
    }
  };
  lending(letCreate);
  const changes = rest.filter(({ followsTable }) => !followsTable).map((one) => transferred(one, adminRole));
  script.run(admin, sql`REASSIGN OWNED BY ${identifier(principal)} TO ${identifier(adminRole)}`, ...changes);
  lending(({ name }) => sql`REVOKE CREATE ON SCHEMA ${identifier(name)} FROM ${identifier(adminRole)}`);
}

function letCreate({ name }: InspectedPlace): Sql {
  return sql`GRANT CREATE ON SCHEMA ${identifier(name)} TO ${identifier(adminRole)}`;
}

/** Types whose name in ALTER is another than in the catalog. */
const alterWords: Readonly<Record<string, string>> = {
  function: 'ROUTINE',
  procedure: 'ROUTINE',
  aggregate: 'ROUTINE',
  'composite type': 'TYPE',
  'statistics object': 'STATISTICS',
  'foreign-data wrapper': 'FOREIGN DATA WRAPPER',
};

function alterOwner({ type, names }: OwnedObjects, owner: Sql): Sql[] {
  const word = keyword(alterWords[type] ?? type.toUpperCase());
  return names.map((name) => sql`ALTER ${word} ${Sql.of(name)} OWNER TO ${owner}`);
}

function transfer(objects: OwnedObjects, owner: string): Sql[] {
  return objects.followsTable ? [] : alterOwner(objects, identifier(owner));
}

/** What may not be `drover_admin`'s becomes whoever's who can. */
function takeOver(rest: readonly OwnedObjects[]): Sql[] {
  return rest.filter(({ movable }) => !movable).flatMap((one) => alterOwner(one, sql`CURRENT_USER`));
}

function transferred({ type, names }: OwnedObjects, owner: string): Change {
  return { action: 'transfer', kind: type, name: listed(names), detail: `to ${owner}` };
}

function counted({ type, names }: OwnedObjects): string {
  return `${type} ${listed(names)}`;
}
