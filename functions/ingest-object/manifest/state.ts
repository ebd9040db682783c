import type { DocumentReference, DocumentSnapshot } from '@google-cloud/firestore';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { DesiredSchema } from '../../../shared/postgres/schema/model.ts';
import { schemasCollection } from '../../../shared/registry/databases.ts';
import { type GrantSet, grantsCollection } from '../../../shared/registry/grants/model.ts';
import { readSet } from '../../../shared/registry/grants/store.ts';
import type { IntentDocument } from '../../../shared/registry/intents.ts';
import { type SecretRecord, secretsCollection } from '../../../shared/registry/secrets/model.ts';
import { readSecretRecord } from '../../../shared/registry/secrets/store.ts';
import { type Catalog, inspectDatabase } from './catalog.ts';
import { schemaOf } from './derived.ts';
import type { Wanted } from './wanted.ts';
import type { Where } from './where.ts';

export type SchemaDocument = IntentDocument & {
  applied?: { desired?: DesiredSchema };
};

/** What is so, as far as a manifest speaks of it. */
export interface CurrentState {
  /** Undefined where nothing of the manifest is in a database, or there is none yet. */
  readonly catalog: Catalog | undefined;
  readonly schemas: ReadonlyMap<string, SchemaDocument>;
  /** By schema; undefined for the database's own roles. */
  readonly sets: ReadonlyMap<string | undefined, GrantSet>;
  readonly secrets: ReadonlyMap<string, SecretRecord>;
}

/** Documents that are asked for at a time. */
const atATime = 200;

/** One look at the catalog, and a few at the registry. */
export async function readState(
  wanted: readonly Wanted[],
  where: Where,
  operation: Pick<OperationContext, 'pools' | 'signal' | 'registry'>,
): Promise<CurrentState> {
  const { instance, database } = where.target;
  const [schemas, scopes, secrets] = [new Set<string>(), new Set<string | undefined>(), new Set<string>()];
  const principals = new Set<string>();
  for (const one of wanted) {
    if (one.kind === 'schema') schemas.add(one.schema);
    if (one.kind === 'schema' && one.message.owner !== undefined) principals.add(one.message.owner);
    if (one.kind === 'secret') secrets.add(one.secret);
    if (one.kind !== 'grants') continue;
    scopes.add(schemaOf(one, where));
    for (const { principal } of one.grants) principals.add(principal);
  }
  const ofScope = (scope: string | undefined) => [instance, database, scope ?? ''];
  const documents = (collection: string, keys: readonly string[][]) =>
    readAll(keys.map((key) => operation.registry(collection, ...key)));
  const looksInside = schemas.size + scopes.size > 0 && where.exists;
  const [catalog, foundSchemas, foundSets, foundSecrets] = await Promise.all([
    looksInside
      ? inspectDatabase(operation.pools, where.target, [...principals], operation.signal)
      : undefined,
    documents(schemasCollection, [...schemas].map(ofScope)),
    documents(grantsCollection, [...scopes].map(ofScope)),
    documents(
      secretsCollection,
      [...secrets].map((secret) => [secret]),
    ),
  ]);
  return {
    catalog,
    schemas: zipped([...schemas], foundSchemas, (one) => one.data() as SchemaDocument | undefined),
    sets: zipped([...scopes], foundSets, (one, schema) =>
      one.exists ? readSet(one, { instance, database, schema: schema ?? null }) : undefined,
    ),
    secrets: zipped([...secrets], foundSecrets, readSecretRecord),
  };
}

/** In the order of the references. */
export async function readAll(
  asked: readonly (DocumentReference | Promise<DocumentReference>)[],
): Promise<DocumentSnapshot[]> {
  const refs = await Promise.all(asked);
  const chunks = Array.from({ length: Math.ceil(refs.length / atATime) }, (_, index) =>
    refs.slice(index * atATime, (index + 1) * atATime),
  );
  const read = await Promise.all(
    chunks.map((some) => some[0]?.firestore.getAll(...some) ?? Promise.resolve([])),
  );
  return read.flat();
}

function zipped<K, T>(
  keys: readonly K[],
  snapshots: readonly DocumentSnapshot[],
  read: (snapshot: DocumentSnapshot, key: K) => T | undefined,
): ReadonlyMap<K, T> {
  return new Map(
    keys.flatMap((key, at) => {
      const snapshot = snapshots[at];
      const value = snapshot && read(snapshot, key);
      return value === undefined ? [] : [[key, value] as const];
    }),
  );
}
