import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note, Outcome } from '../../shared/operation/outcome.ts';
import { logsIn } from '../../shared/postgres/logins/proof.ts';
import { settleChange } from '../../shared/registry/secrets/store.ts';
import { attemptChange } from '../../shared/secrets/attempt.ts';
import { type PostgresSecret, readManaged } from '../../shared/secrets/managed.ts';
import {
  type CredentialVersion,
  type Observation,
  observe,
  readCredentials,
  type UnusableVersion,
  type ValueCache,
} from '../../shared/secrets/observe.ts';
import { optionsOf } from '../../shared/secrets/rotation.ts';
import { authorizeManaged } from './managed.ts';
import type { RotateSecretMessage } from './message.ts';
import { noteVerified } from './note-verified.ts';
import { repairSecret } from './repair.ts';
import { verifyValues } from './verify-values.ts';

/** What was found out about the enabled versions of a secret. */
export interface Verified {
  readonly working: readonly CredentialVersion[];
  readonly broken: readonly CredentialVersion[];
  readonly unusable: readonly UnusableVersion[];
}

/**
 * Action verify: tries every enabled version. A database that was restored or cloned has the passwords that it had;
 * `repair` gives it those that applications are told.
 */
export async function verifySecret(
  message: RotateSecretMessage,
  operation: OperationContext,
): Promise<Outcome> {
  const { secret: id, repair } = message;
  const seen = await observe(id);
  const managed = readManaged(seen.secret);
  authorizeManaged(message, managed);
  if (managed.kind !== 'postgres') return verifyValues({ id, managed, seen, repair }, operation);
  const cache: ValueCache = new Map();
  const verified = await tryAll(managed, seen, cache, operation);
  const broken = verified.broken.length + verified.unusable.length;
  const isWorking = (number: number | undefined) => verified.working.some((one) => one.number === number);
  const fine = broken === 0 && isWorking(seen.current) && isWorking(seen.versions[0]?.number);
  const notes = [...brokenNotes(id, verified), ...(fine ? [] : currentNotes(id, seen, verified))];
  if (fine || !repair || operation.dryRun) {
    if (!operation.dryRun) await noteVerified(id, managed, seen, fine, operation);
    return report(verified, notes, []);
  }
  return attemptChange(operation, id, managed, async ({ epoch }) => {
    // Until it was begun, others may have changed the secret.
    const seen = await observe(id);
    const verified = await tryAll(managed, seen, cache, operation);
    const mend = { id, managed, seen, cache, verified };
    const { changes, current } = await repairSecret({ ...mend, epoch }, operation);
    const event = { action: 'verify' as const, detail: 'repaired', version: current };
    await settleChange(operation, id, { event, managed, fields: { current, failures: 0 } });
    const mended = { code: 'VERSION_MENDED', message: `The enabled versions of ${id} work again.` };
    return report(verified, [...notes, mended], changes);
  });
}

async function tryAll(
  managed: PostgresSecret,
  seen: Observation,
  cache: ValueCache,
  operation: OperationContext,
): Promise<Verified> {
  const { usable, unusable } = await readCredentials(seen, managed, cache);
  const working: CredentialVersion[] = [];
  const broken: CredentialVersion[] = [];
  for (const version of usable) {
    const { username: user, password } = version.credential;
    const works = await logsIn(managed, { user, password }, optionsOf(operation));
    (works ? working : broken).push(version);
  }
  return { working, broken, unusable };
}

function brokenNotes(id: string, { broken, unusable }: Verified): Note[] {
  const note = (number: number, why: string) => ({
    code: 'VERSION_BROKEN',
    message: `Version ${number} of ${id} is enabled and ${why}.`,
  });
  return [
    ...broken.map(({ number, credential }) => note(number, `${credential.username} can't log in with it`)),
    ...unusable.map(({ number, problem }) => note(number, problem)),
  ];
}

function currentNotes(id: string, { current, versions }: Observation, { working }: Verified): Note[] {
  const isWorking = (number: number | undefined) => working.some((one) => one.number === number);
  const where =
    current === undefined ? 'there is no alias current' : `current is version ${current}, which doesn't work`;
  const [latest] = versions;
  // Of one that is enabled it is said already.
  const isTold = latest === undefined || latest.state === 'ENABLED';
  return [
    ...(isWorking(current) ? [] : [{ code: 'CURRENT_BROKEN', message: `Of ${id}: ${where}.` }]),
    ...(isTold
      ? []
      : [
          {
            code: 'LATEST_BROKEN',
            message: `Of ${id}: latest is version ${latest.number}, which is not enabled.`,
          },
        ]),
  ];
}

function report({ working, broken, unusable }: Verified, notes: Note[], changes: readonly Change[]): Outcome {
  const bad = broken.length + unusable.length;
  return {
    changes,
    notes,
    summary: {
      versions: working.length + bad,
      working: working.length,
      broken: bad,
      mended: changes.length > 0 ? bad : 0,
    },
  };
}
