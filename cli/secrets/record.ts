import type { DocumentSnapshot, Firestore, Query } from '@google-cloud/firestore';
import { hash } from '../../shared/operation/canonical.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import { withDates } from '../../shared/registry/dates.ts';
import { type SecretRecord, secretsCollection } from '../../shared/registry/secrets/model.ts';
import { readSecretRecord } from '../../shared/registry/secrets/store.ts';
import { secretId } from '../../shared/secrets/managed.ts';
import { ask } from '../cloud.ts';
import { collect } from '../paging.ts';
import { didYouMean } from '../suggest.ts';
import { UsageError } from '../usage-error.ts';
import type { SecretSummary } from './state.ts';

/** All of a record but its history, which may be long; the compiler sees to it that none is missing. */
const listed: Readonly<Record<keyof SecretSummary, true>> = {
  secret: true,
  kind: true,
  strategy: true,
  instance: true,
  database: true,
  schema: true,
  role: true,
  logins: true,
  graceMinutes: true,
  policy: true,
  epoch: true,
  open: true,
  current: true,
  previous: true,
  rotatedAt: true,
  retiredAt: true,
  nextRotation: true,
  nextRetirement: true,
  failures: true,
  last: true,
};

/**
 * The id of a secret, as somebody typed it.
 *
 * @throws UsageError
 */
export function readSecretId(given: string | undefined): string {
  if (given === undefined) throw new UsageError('Which secret? Give its id. See: drover secrets list');
  const parsed = secretId.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    `The secret ${JSON.stringify(given)} ${parsed.error.issues.map(({ message }) => message).join(', and ')}`,
  );
}

/**
 * What the registry has of a secret.
 *
 * @throws OperationError `SECRET_NOT_FOUND`
 */
export async function findSecret(name: string): Promise<SecretRecord> {
  const snapshot = await ask((db) => db.collection(secretsCollection).doc(hash(name).slice(0, 40)).get());
  const secret = readSecretRecord(snapshot);
  if (secret !== undefined) return secret;
  const names = await collect(
    (db) => db.collection(secretsCollection).orderBy('secret').select('secret'),
    Number.POSITIVE_INFINITY,
    (document) => document.get('secret') as string,
  );
  throw new OperationError(
    'SECRET_NOT_FOUND',
    `Drover manages no secret ${name}.${didYouMean(name, names)} See: drover secrets list`,
  );
}

/**
 * The secrets that Drover manages, by name.
 *
 * @param accepts leaves out what the query can't, before `limit` counts
 */
export async function listSecrets(
  instance: string | undefined,
  limit = Number.POSITIVE_INFINITY,
  accepts: (secret: SecretSummary) => boolean = () => true,
): Promise<SecretSummary[]> {
  return collect(
    (db) => byName(db, instance),
    limit,
    (document: DocumentSnapshot) => {
      const secret = withDates(document.data()) as SecretSummary;
      return accepts(secret) ? secret : undefined;
    },
  );
}

function byName(db: Firestore, instance: string | undefined): Query {
  const all = db.collection(secretsCollection);
  const some = instance === undefined ? all : all.where('instance', '==', instance);
  return some.orderBy('secret').select(...Object.keys(listed));
}
