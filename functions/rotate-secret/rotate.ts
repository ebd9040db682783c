import { getSecret } from '../../shared/gcp/secrets.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { identifier } from '../../shared/postgres/sql.ts';
import { readSecretRecord, reschedule, secretRef } from '../../shared/registry/secrets/store.ts';
import { afterTheOther, attemptChange } from '../../shared/secrets/attempt.ts';
import type { ManagedSecret } from '../../shared/secrets/managed.ts';
import { readManaged } from '../../shared/secrets/managed.ts';
import { type Observation, observe, readCredentials, refuseUnusable } from '../../shared/secrets/observe.ts';
import { InGrace, refuseInGrace, rotateAt } from '../../shared/secrets/rotate.ts';
import { refuseAliases } from '../../shared/secrets/rotation.ts';
import { idleLogin } from '../../shared/secrets/two-user.ts';
import { authorizeManaged, refuseMismatch, withSettings } from './managed.ts';
import type { RotateSecretMessage } from './message.ts';

/** Action rotate: another credential. */
export async function rotateSecret(
  message: RotateSecretMessage,
  operation: OperationContext,
): Promise<Outcome> {
  const { secret: id, kind, strategy, scheduled } = message;
  const found = await getSecret(id);
  const known = readManaged(found);
  refuseMismatch(id, known, { kind, strategy });
  const managed = withSettings(known, message);
  authorizeManaged(message, managed);
  refuseAliases(found);
  try {
    if (operation.dryRun) return await plan(id, managed, await observe(id), message, operation);
    return await attemptChange(operation, id, managed, async (begun) => {
      // Not before: until it was begun, others may have changed the secret.
      const seen = await observe(id);
      return rotateAt({ ...begun, id, managed, seen, force: message.force, action: 'rotate' }, operation);
    });
  } catch (error) {
    if (error instanceof InGrace && scheduled) return recently(id, error.until, operation);
    throw scheduled ? afterTheOther(error) : error;
  }
}

async function recently(id: string, until: Date, operation: OperationContext): Promise<Outcome> {
  if (!operation.dryRun) await reschedule(operation, id, 'nextRotation', until);
  const message = `${id} was rotated a short while ago (its grace period ends at ${until.toISOString()}); nothing was done.`;
  return { changes: [], notes: [{ code: 'ROTATED_RECENTLY', message }] };
}

/** What a rotation would do, as far as can be said without doing it. */
async function plan(
  id: string,
  managed: ManagedSecret,
  seen: Observation,
  { force }: RotateSecretMessage,
  operation: OperationContext,
): Promise<Outcome> {
  const record = readSecretRecord(await (await secretRef(operation, id)).get());
  refuseInGrace({ id, managed, seen, force }, record);
  const add = { action: 'create', kind: 'secret version', name: id } as const;
  const move = { action: 'alter', kind: 'secret', name: id, detail: 'current is the new version' } as const;
  if (managed.kind !== 'postgres') return { changes: [add, move], statements: [] };
  const { usable, unusable } = await readCredentials(seen, managed, new Map());
  refuseUnusable(id, unusable);
  const enabled = usable.map(({ number, credential }) => ({ number, login: credential.username }));
  const [first = '', second = first] = managed.logins;
  const login =
    managed.strategy === 'two-user'
      ? idleLogin({ enabled, current: seen.current, logins: [first, second] })
      : first;
  const stale = enabled.filter((version) => version.login === login && managed.strategy === 'two-user');
  return {
    changes: [
      ...stale.map(({ number }) => ({
        action: 'alter' as const,
        kind: 'secret version',
        name: `${id}/${number}`,
        detail: 'disabled',
      })),
      { action: 'alter', kind: 'login', name: login, detail: 'another password' },
      add,
      move,
    ],
    statements: [`ALTER ROLE ${identifier(login).text} PASSWORD '<a SCRAM-SHA-256 verifier>'`],
  };
}
