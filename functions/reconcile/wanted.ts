import type { Firestore } from '@google-cloud/firestore';
import { desiredOf } from '../../shared/grants/apply.ts';
import type { DesiredGrants } from '../../shared/postgres/grants/model.ts';
import type { DesiredSchema } from '../../shared/postgres/schema/model.ts';
import type { Target } from '../../shared/postgres/target.ts';
import { withdraw } from '../../shared/registry/grants/merge.ts';
import { emptySet, type GrantSet, grantsCollection } from '../../shared/registry/grants/model.ts';
import { wantedOfAll } from '../../shared/registry/grants/outcome.ts';
import { hasEnded, readSet } from '../../shared/registry/grants/store.ts';
import type { IntentDocument } from '../../shared/registry/intents.ts';
import { operationsCollection } from '../../shared/registry/operations.ts';

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
    ofDatabase('schemas'),
    ofDatabase(grantsCollection),
  ]);
  const schemas = schemaDocuments.docs.map((document) => document.data() as SchemaDocument);
  const found = setDocuments.docs.map((document) =>
    readSet(document, { instance, database, schema: document.get('schema') as string | null }),
  );
  const ended = await endedOperations(db, [...schemas.flatMap(openIntents), ...found.flatMap(openWishes)]);
  const sets = new Map(
    found.map((set) => [set.schema, [...ended].reduce((rest, operation) => withdraw(rest, operation), set)]),
  );
  const settled = schemas.filter(
    (schema) =>
      schema.applied !== undefined && openIntents(schema).every((operation) => ended.has(operation)),
  );
  const scopes = [...new Set([null, ...sets.keys(), ...settled.map(({ schema }) => schema)])];
  return {
    schemas: settled.flatMap((schema) => {
      const set = sets.get(schema.schema);
      return set && openWishes(set).length > 0 ? [] : wantedSchema(schema, set);
    }),
    grants: scopes.flatMap((schema) => {
      const set = sets.get(schema) ?? emptySet({ instance, database, schema });
      const owner = settled.find((one) => one.schema === schema)?.applied?.desired.owner;
      return openWishes(set).length === 0 ? [wantedGrants(set, owner)] : [];
    }),
  };
}

function openIntents({ intents }: SchemaDocument): string[] {
  return intents.map(({ operation }) => operation);
}

function openWishes({ exact, grants, customRoles }: GrantSet): string[] {
  return [exact, ...Object.values(grants), ...Object.values(customRoles)].flatMap((register) =>
    register?.undecided ? [register.value.operation] : [],
  );
}

async function endedOperations(db: Firestore, operations: readonly string[]): Promise<Set<string>> {
  const ids = [...new Set(operations)];
  if (ids.length === 0) return new Set();
  const records = await db.getAll(...ids.map((id) => db.collection(operationsCollection).doc(id)));
  return new Set(records.filter(hasEnded).map(({ id }) => id));
}

/** With its custom roles, which the grants' documents define; without its owner, who is one of the grants; and without
 * taking over what others made since. */
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

/** @param owner whom create-schema let act as the owner: neither demanded nor taken for a stranger */
function wantedGrants(set: GrantSet, owner: string | undefined): DesiredGrants {
  const wanted = wantedOfAll(set);
  const isNamed = wanted.grants.some(({ role, principal }) => role === 'owner' && principal === owner);
  const tolerated = owner === undefined || isNamed ? [] : [{ role: 'owner', principal: owner }];
  const fence = { epoch: set.epoch, outstanding: set.epoch !== set.appliedEpoch };
  return desiredOf(
    set,
    { ...wanted, undecided: [...wanted.undecided, ...tolerated], surplus: 'revoke' },
    fence,
  );
}
