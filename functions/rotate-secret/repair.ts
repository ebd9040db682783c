import { addVersion, disableVersion } from '../../shared/gcp/secrets.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Change } from '../../shared/operation/outcome.ts';
import { setPassword } from '../../shared/postgres/logins/password.ts';
import { doesNotLogIn, logsIn } from '../../shared/postgres/logins/proof.ts';
import type { PostgresSecret } from '../../shared/secrets/managed.ts';
import {
  type CredentialVersion,
  type Observation,
  readValue,
  type ValueCache,
} from '../../shared/secrets/observe.ts';
import {
  added,
  disabled,
  moveAliases,
  optionsOf,
  passwordOf,
  scopeOf,
} from '../../shared/secrets/rotation.ts';
import type { Verified } from './verify.ts';

export interface Mend {
  readonly id: string;
  readonly managed: PostgresSecret;
  readonly seen: Observation;
  readonly cache: ValueCache;
  readonly verified: Verified;
  readonly epoch: number;
}

/** Which version decides on each login's password, and what can't be kept. */
export interface RepairPlan {
  /** Its login gets the password that it has. */
  readonly restore: readonly CredentialVersion[];
  readonly disable: readonly number[];
  /** What `current` has to lead to. */
  readonly current: number;
}

/**
 * What makes every enabled version work: pure.
 *
 * A login has one password: that of the current version, or else of the newest that works, or else of the newest. Versions with another one,
 * and those that are no credentials, can't be kept.
 *
 * @returns undefined where no enabled version holds a credential
 */
export function planRepair(
  { working, broken, unusable }: Verified,
  current: number | undefined,
): RepairPlan | undefined {
  const all = [...working, ...broken].sort((a, b) => b.number - a.number);
  const chosen = all.find(({ number }) => number === current) ?? all[0];
  if (chosen === undefined) return undefined;
  const logins = [...new Set(all.map(({ credential }) => credential.username))];
  const decisive = logins.map((login) => {
    if (login === chosen.credential.username) return chosen;
    const isOfLogin = ({ credential }: CredentialVersion) => credential.username === login;
    return working.find(isOfLogin) ?? all.find(isOfLogin);
  });
  const passwords = new Map(decisive.map((one) => [one?.credential.username, one?.credential.password]));
  const isKept = ({ credential }: CredentialVersion) =>
    passwords.get(credential.username) === credential.password;
  return {
    restore: decisive.filter((one) => one !== undefined).filter((one) => broken.includes(one)),
    disable: [...unusable, ...all.filter((one) => !isKept(one))].map(({ number }) => number),
    current: chosen.number,
  };
}

/**
 * Mends a secret whose enabled versions don't all work.
 *
 * @throws OperationError `NOTHING_TO_REPAIR_FROM`, and what `setPassword` throws
 */
export async function repairSecret(
  { id, managed, seen, cache, verified, epoch }: Mend,
  operation: OperationContext,
): Promise<{ changes: Change[]; current: number }> {
  const plan = planRepair(verified, seen.current);
  if (plan === undefined) throw nothingLeft(id);
  const changes: Change[] = [];
  const disable = async (numbers: readonly number[]) => {
    for (const number of numbers) {
      operation.assertHeld();
      await disableVersion(id, number);
      changes.push(disabled(id, number));
    }
  };
  const latest = seen.versions[0];
  // `latest` last, so that it never leads to what is disabled.
  await disable(plan.disable.filter((number) => number !== latest?.number));
  for (const { credential } of plan.restore) {
    const { username: login, password } = credential;
    const change = { login, password, epoch, onlyIdle: false };
    await setPassword(scopeOf(id, managed), change, optionsOf(operation));
    changes.push({ ...passwordOf(login), detail: 'the password that its version has' });
    if (!(await logsIn(managed, { user: login, password }, optionsOf(operation)))) throw doesNotLogIn(login);
  }
  const { current } = plan;
  if (seen.current !== current) await moveAliases({ operation, id, managed, seen, changes }, current);
  const goes = latest !== undefined && plan.disable.includes(latest.number);
  if (latest && (latest.state !== 'ENABLED' || goes)) {
    const value = await readValue(id, current, cache);
    if (value === undefined) throw nothingLeft(id);
    operation.assertHeld();
    const copy = await addVersion(id, value);
    changes.push(added(id, copy.number));
  }
  if (latest && goes) await disable([latest.number]);
  return { changes, current };
}

function nothingLeft(id: string): OperationError {
  return new OperationError(
    'NOTHING_TO_REPAIR_FROM',
    `No enabled version of the secret ${id} holds a credential. Enable one that does, or add it as a version, and verify again.`,
    { details: { name: id } },
  );
}
