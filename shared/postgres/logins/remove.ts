import { OperationError } from '../../operation/errors.ts';
import type { Change } from '../../operation/outcome.ts';
import { closePrincipal } from '../offboard/close.ts';
import { offboardInDatabase } from '../offboard/database.ts';
import { dropPrincipal } from '../offboard/drop.ts';
import { isRemainder, nothing, type Offboarded, together } from '../offboard/model.ts';
import { changeLogins, type LoginOptions, type LoginScope } from './change.ts';
import { parseLoginMarker } from './marker.ts';

/**
 * Shuts a secret's logins out: they can't log in any more, and their sessions are ended.
 *
 * @throws OperationError `LOGIN_REMAINS` where one can't be shut out
 */
export async function closeLogins(
  scope: LoginScope,
  logins: readonly string[],
  options: LoginOptions,
): Promise<readonly Change[]> {
  const target = { instance: scope.instance, database: scope.database };
  const parts: Offboarded[] = [];
  for (const login of await ownLogins(scope, logins, options)) {
    parts.push(await closePrincipal(options.pools, target, login, { ...options, dryRun: false }));
  }
  return changesOf(together(nothing, ...parts));
}

/**
 * Drops a secret's logins. What they own, which is nothing where they act as their group, becomes Drover's. One that is
 * gone is dropped.
 *
 * @throws OperationError `LOGIN_REMAINS` where something of one is out of reach
 */
export async function dropLogins(
  scope: LoginScope,
  logins: readonly string[],
  options: LoginOptions,
): Promise<readonly Change[]> {
  const { pools } = options;
  const target = { instance: scope.instance, database: scope.database };
  const step = { ...options, dryRun: false };
  const parts: Offboarded[] = [];
  for (const login of await ownLogins(scope, logins, options)) {
    const emptied = together(
      await closePrincipal(pools, target, login, step),
      await offboardInDatabase(pools, target, login, step),
    );
    const dropped = await dropPrincipal(pools, target, login, { ...step, offboarded: [target.database] });
    // What was out of reach went with the role, such as memberships by others.
    parts.push(dropped.remaining ? emptied : { ...emptied, notes: [], remaining: false }, dropped);
  }
  return changesOf(together(nothing, ...parts));
}

/** Those of the logins that there are, and that are this secret's. */
function ownLogins(scope: LoginScope, logins: readonly string[], options: LoginOptions): Promise<string[]> {
  return changeLogins(scope, logins, options, ({ found }) =>
    logins.filter((name) => parseLoginMarker(found.get(name)?.comment ?? null)?.secret === scope.secret),
  );
}

function changesOf({ changes, notes, remaining }: Offboarded): readonly Change[] {
  if (!remaining) return changes;
  const left = notes.filter(isRemainder);
  throw new OperationError(
    'LOGIN_REMAINS',
    `Not all of the login can be taken away: ${left.map(({ message }) => message).join(' ')} Do that, and replay the message.`,
    { details: { statements: left.flatMap(({ statements = [] }) => statements) } },
  );
}
