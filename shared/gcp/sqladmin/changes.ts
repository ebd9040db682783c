import { OperationError } from '../../operation/errors.ts';
import type { AdminApi, Operation } from './client.ts';
import { isBusy } from './errors.ts';
import type { SharedList } from './shared-list.ts';
import { type IamKind, type SqlUser, userTypes } from './users.ts';
import { type Pause, waitForEnd, waitForIdle } from './waiting.ts';

/** What changes of an instance's users go by. */
export interface ChangeContext {
  readonly instance: string;
  readonly api: AdminApi;
  readonly users: SharedList<ReadonlyMap<string, SqlUser>>;
  readonly pause: Pause;
}

/** Makes an IAM principal a user of the instance; see `SqlAdmin.createUser`. */
export async function createUser(
  context: ChangeContext,
  { name, kind }: { readonly name: string; readonly kind: IamKind },
  signal: AbortSignal,
): Promise<'created' | 'existed'> {
  const { instance, api, users } = context;
  const ifExists = (listed: ReadonlyMap<string, SqlUser>): 'existed' | undefined => {
    const found = listed.get(name);
    if (found && found.kind !== kind) throw kindConflict(instance, found, kind);
    return found && 'existed';
  };
  // Before anything else: what inserting does to a user who exists already is not the same for all types.
  const known = ifExists(await users.read({ signal }));
  if (known) return known;
  const insert = () => api.insertUser({ name, type: userTypes[kind] }, signal);
  return (await change(context, signal, insert, ifExists)) ?? 'created';
}

/** Takes a user from the instance; see `SqlAdmin.deleteUser`. */
export async function deleteUser(
  context: ChangeContext,
  name: string,
  signal: AbortSignal,
): Promise<'deleted' | 'absent'> {
  const { instance, api } = context;
  const ifAbsent = (listed: ReadonlyMap<string, SqlUser>) => (listed.has(name) ? undefined : 'absent');
  try {
    return (await change(context, signal, () => api.deleteUser(name, signal), ifAbsent)) ?? 'deleted';
  } catch (error) {
    throw error instanceof OperationError && isInUse(error) ? inUse(instance, name, error) : error;
  }
}

/**
 * Begins an operation and waits for its end. An operation doesn't say which user it is about, so after anything but a
 * plain success the list of users is looked at: what is as it should be needs nothing more.
 *
 * @param ifSettled what came of it according to the list; undefined where the list isn't as it should be
 * @returns undefined where this operation did it
 */
async function change<Settled>(
  { api, users, pause }: ChangeContext,
  signal: AbortSignal,
  begin: () => Promise<Operation>,
  ifSettled: (listed: ReadonlyMap<string, SqlUser>) => Settled | undefined,
): Promise<Settled | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const failure = await failureOf(async () => waitForEnd(api, await begin(), pause, signal));
    users.forget();
    if (failure === undefined) return undefined;
    signal.throwIfAborted();
    const busy = isBusy(failure);
    if (busy) await waitForIdle(api, pause, signal);
    // Nobody knows what came of such a call; whoever comes next begins with looking.
    else if (failure.retryable && failure.code !== 'ADMIN_API_OPERATION_FAILED') throw failure;
    // By a call of its own: one that is under way may have been asked for before.
    const settled = ifSettled(await users.readNow(signal));
    if (settled !== undefined) return settled;
    if (!busy) throw failure;
    // All who waited begin at once, and one of them is first.
    await pause(attempt, signal);
  }
}

async function failureOf(work: () => Promise<void>): Promise<OperationError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
}

function kindConflict(instance: string, { name, kind }: SqlUser, wanted: IamKind): OperationError {
  return new OperationError(
    'USER_KIND_CONFLICT',
    `${instance} has a user ${name} already, of the kind ${kind} and not ${wanted}`,
    { details: { instance, user: name, kind, wanted } },
  );
}

/** PostgreSQL's own words (2BP01), which the Admin API passes on in a refusal or in an operation's error. */
function isInUse({ message }: OperationError): boolean {
  return message.includes('cannot be dropped because some objects depend on it');
}

function inUse(instance: string, name: string, cause: OperationError): OperationError {
  return new OperationError(
    'USER_IN_USE',
    `The user ${name} of ${instance} can't be deleted while things depend on it: ${cause.message}`,
    { details: { instance, user: name }, cause },
  );
}
