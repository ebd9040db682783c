import type { Firestore } from '@google-cloud/firestore';
import { desiredOf, type SetScope } from '../../shared/grants/scope.ts';
import type { DesiredGrants } from '../../shared/postgres/grants/model.ts';
import type { DesiredSchema } from '../../shared/postgres/schema/model.ts';
import type { Target } from '../../shared/postgres/target.ts';
import { schemasCollection } from '../../shared/registry/databases.ts';
import { withdraw } from '../../shared/registry/grants/merge.ts';
import {
  emptySet,
  type GrantSet,
  grantKey,
  grantsCollection,
  openOperations,
  type RegisteredGrant,
} from '../../shared/registry/grants/model.ts';
import { wantedOfAll } from '../../shared/registry/grants/outcome.ts';
import { hasEnded, readSet } from '../../shared/registry/grants/store.ts';
import type { IntentDocument } from '../../shared/registry/intents.ts';
import { operationsCollection } from '../../shared/registry/operations.ts';
import { clockMarginMs } from './due.ts';

/** A schema as the registry has it, and the number of the last attempt at it. */
export interface WantedSchema {
  readonly desired: DesiredSchema;
  /** With the number of its grants, which define its custom roles. */
  readonly fence: { readonly epoch: number; readonly outstanding: boolean; readonly grants: number };
}

/** All that the registry says of one database, but what is being changed just now. */
export interface WantedDatabase {
  readonly schemas: readonly WantedSchema[];
  readonly grants: readonly DesiredGrants[];
  /** The number of the last attempt at each schema: by it, create-schema says who may act as an owner. */
  readonly schemaEpochs: ReadonlyMap<string, number>;
  /** Sets in which operations that have ended left wishes open. */
  readonly abandoned: readonly { readonly scope: SetScope; readonly operations: readonly string[] }[];
}

type SchemaDocument = IntentDocument & { schema: string; applied?: { desired: DesiredSchema } };

/**
 * Reads what a database should be like. What somebody is about to change is left out; a wish whose operation has
 * ended is no wish any more.
 */
export async function readWanted(db: Firestore, { instance, database }: Target): Promise<WantedDatabase> {
  const ofDatabase = (collection: string) =>
    db.collection(collection).where('instance', '==', instance).where('database', '==', database).get();
  const [schemaDocuments, setDocuments] = await Promise.all([
    ofDatabase(schemasCollection),
    ofDatabase(grantsCollection),
  ]);
  const schemas = schemaDocuments.docs.map((document) => document.data() as SchemaDocument);
  const found = setDocuments.docs.map((document) =>
    readSet(document, { instance, database, schema: document.get('schema') as string | null }),
  );
  const ended = await endedOperations(db, [
    ...schemas.flatMap(openIntents),
    ...found.flatMap(openOperations),
  ]);
  const sets = new Map(
    found.map((set) => [set.schema, [...ended].reduce((rest, operation) => withdraw(rest, operation), set)]),
  );
  const settled = schemas.filter(
    (schema) =>
      schema.applied !== undefined && openIntents(schema).every((operation) => ended.has(operation)),
  );
  const abandoned = found.flatMap((set) => {
    const operations = openOperations(set).filter((id) => ended.has(id));
    return operations.length > 0 ? [{ scope: { instance, database, schema: set.schema }, operations }] : [];
  });
  const scopes = [...new Set([null, ...sets.keys(), ...settled.map(({ schema }) => schema)])];
  return {
    abandoned,
    schemaEpochs: new Map(schemas.map(({ schema, epoch }) => [schema, epoch])),
    schemas: settled.flatMap((schema) => {
      const set = sets.get(schema.schema);
      return set && openOperations(set).length > 0 ? [] : wantedSchema(schema, set);
    }),
    grants: scopes.flatMap((schema) => {
      const set = sets.get(schema) ?? emptySet({ instance, database, schema });
      const owners = schemas.filter((one) => one.schema === schema).flatMap(ownersOf);
      return openOperations(set).length === 0 ? [wantedGrants(set, owners)] : [];
    }),
  };
}

function openIntents({ intents }: SchemaDocument): string[] {
  return intents.map(({ operation }) => operation);
}

async function endedOperations(db: Firestore, operations: readonly string[]): Promise<Set<string>> {
  const ids = [...new Set(operations)];
  if (ids.length === 0) return new Set();
  const records = await db.getAll(...ids.map((id) => db.collection(operationsCollection).doc(id)));
  return new Set(records.filter(hasEnded).map(({ id }) => id));
}

/**
 * With its custom roles, which the grants' documents define; without its owner, who is one of the grants; and without
 * taking over what others made since.
 */
function wantedSchema(
  { epoch, appliedEpoch, applied }: SchemaDocument,
  set: GrantSet | undefined,
): WantedSchema[] {
  if (applied === undefined) return [];
  const { owner: _, ...desired } = applied.desired;
  const customRoles = Object.values(set?.customRoles ?? {}).map(({ value }) => value.definition);
  return [
    {
      desired: { ...desired, adopt: false, customRoles },
      fence: { epoch, outstanding: epoch !== appliedEpoch, grants: set?.epoch ?? 0 },
    },
  ];
}

/** Whom create-schema lets act as the owner, or is about to. */
interface SchemaOwner {
  readonly owner: string;
  readonly publishedAt: Date;
}

function ownersOf({ applied, intents }: SchemaDocument): SchemaOwner[] {
  return [applied, ...intents].flatMap((wish) => {
    const { owner } = (wish?.desired ?? {}) as Partial<DesiredSchema>;
    return wish && owner !== undefined ? [{ owner, publishedAt: wish.publishedAt.toDate() }] : [];
  });
}

function wantedGrants(set: GrantSet, owners: readonly SchemaOwner[]): DesiredGrants {
  const wanted = wantedOfAll(set);
  const left = [...ending(set, Date.now()), ...owners.flatMap((owner) => tolerated(set, owner))];
  const keys = new Set(left.map(grantKey));
  const fence = { epoch: set.epoch, outstanding: set.epoch !== set.appliedEpoch };
  return desiredOf(
    set,
    {
      ...wanted,
      grants: wanted.grants.filter((grant) => !keys.has(grantKey(grant))),
      undecided: [...wanted.undecided, ...left],
      surplus: 'revoke',
    },
    fence,
  );
}

type Membership = Pick<RegisteredGrant, 'role' | 'principal'>;

/** Expiry is about to decide on these, by the database's clock. */
function ending({ grants }: GrantSet, now: number): Membership[] {
  return Object.values(grants).filter(({ value: { present, expiresAt } }) => {
    return present && expiresAt !== undefined && expiresAt.getTime() <= now + clockMarginMs;
  });
}

/** Neither demanded nor taken for a stranger, unless `grant-roles` was told something since. */
function tolerated({ grants, exact }: GrantSet, { owner, publishedAt }: SchemaOwner): Membership[] {
  const one = { role: 'owner', principal: owner };
  const known = grants[grantKey(one)];
  const isNewer = [known, exact].some((register) => register && register.value.publishedAt > publishedAt);
  return isNewer || known?.value.present ? [] : [one];
}
