import { rotateSecretMessage } from '../../functions/rotate-secret/message.ts';
import { hash } from '../../shared/operation/canonical.ts';
import { defineOperation } from '../../shared/operation/define.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { type SecretRecord, secretsCollection } from '../../shared/registry/secrets/model.ts';
import { asWorker, type Cloud, startWorker, type Worker } from './fixture.ts';

export const secretsFunction = 'rotate-secret';
export const instance = 'test-project:europe-west1:main';

const dayMs = 24 * 3600 * 1000;

/** A time so many days from now. */
export function inDays(days: number): Date {
  return new Date(Date.now() + days * dayMs);
}

/** As people see a time: to the second. */
export const shown = (time: Date) => `${time.toISOString().slice(0, 19).replace('T', ' ')}Z`;

/** A record like that of a secret that is rotated every 30 days, and was 3 days and 1 hour ago. */
export function secretRecord(fields: Partial<SecretRecord> = {}): SecretRecord {
  return {
    secret: 'billing-db',
    kind: 'postgres',
    strategy: 'two-user',
    instance,
    database: 'app',
    schema: 'billing',
    role: 'writer',
    logins: ['billing_a', 'billing_b'],
    graceMinutes: 1440,
    policy: { everyDays: 30, jitterDays: 3 },
    epoch: 2,
    open: null,
    current: 2,
    previous: 1,
    rotatedAt: inDays(-3 - 1 / 24),
    retiredAt: null,
    nextRotation: inDays(26),
    nextRetirement: null,
    failures: 0,
    last: { at: inDays(-3), action: 'rotate', operation: 'a'.repeat(40), version: 2 },
    history: [],
    ...fields,
  };
}

/** Writes records as the function does. */
export async function seed({ db }: Cloud, ...secrets: readonly Partial<SecretRecord>[]): Promise<void> {
  const batch = db.batch();
  for (const fields of secrets) {
    const record = secretRecord(fields);
    const id = hash(record.secret).slice(0, 40);
    batch.set(db.collection(secretsCollection).doc(id), record);
  }
  await batch.commit();
}

/** What a stand-in for the function gets. */
export type SecretMessage = ReturnType<typeof rotateSecretMessage.parse>;

/** Does what the function does with a message, around another handler. */
export function secretsWorker(
  run: (message: SecretMessage, context: OperationContext) => Promise<Outcome>,
): Worker {
  return asWorker(
    defineOperation({
      name: secretsFunction,
      timeoutSeconds: 60,
      message: rotateSecretMessage,
      access: () => undefined,
      run,
    }),
  );
}

/** Has a stand-in handle what is published while the test runs. */
export async function startSecretsWorker(
  cloud: Cloud,
  run: (message: SecretMessage, context: OperationContext) => Promise<Outcome>,
): Promise<void> {
  await startWorker(cloud, secretsWorker(run), secretsFunction);
}
