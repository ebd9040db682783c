import { setRef } from '../../shared/grants/scope.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Note } from '../../shared/operation/outcome.ts';
import type { Target } from '../../shared/postgres/target.ts';
import { withdraw } from '../../shared/registry/grants/merge.ts';
import { type Author, type GrantSet, grantKey } from '../../shared/registry/grants/model.ts';
import { offboardedRefs, readOffboarded } from '../../shared/registry/grants/offboarded.ts';
import { hasEnded, newerIsUndecided, readSet } from '../../shared/registry/grants/store.ts';
import { isOlder } from '../../shared/registry/intents.ts';
import { operationsCollection } from '../../shared/registry/operations.ts';

interface OwnerWish {
  readonly target: Target;
  readonly schema: string;
  readonly owner: string;
}

/**
 * Whether something newer was decided about who may act as a schema's owner than the message that names it: it was
 * offboarded, or `grant-roles` has said since who has that role. A message that comes late doesn't bring it back.
 *
 * @returns a note that says so; undefined where nothing stands against the owner
 * @throws OperationError `NEWER_UNDECIDED` (retryable)
 */
export async function supersededOwner(
  { target, schema, owner }: OwnerWish,
  operation: OperationContext,
): Promise<Note | undefined> {
  const scope = { ...target, schema };
  const ref = await setRef(operation, scope);
  const offboardedRef = await offboardedRefs(operation, target.instance, [owner]);
  const [found, ...offboarded] = await ref.firestore.getAll(ref, ...offboardedRef);
  const gone = readOffboarded(offboarded).get(owner);
  if (gone && isNewer(gone, operation)) return note(owner, gone);

  for (let set = readSet(found, scope); ; ) {
    const newer = newerIn(set, owner, operation);
    if (!newer?.undecided || operation.dryRun) return newer && note(owner, newer.value);
    const { operation: id } = newer.value;
    const record = await ref.firestore.collection(operationsCollection).doc(id).get();
    if (!hasEnded(record)) throw newerIsUndecided(id);
    // Its worker died before it could take the wish back.
    set = withdraw(set, id);
  }
}

/** By time alone: the revisions of another function's messages count something else. */
function isNewer({ publishedAt }: Author, { asked }: OperationContext): boolean {
  return isOlder({ publishedAt: asked.publishedAt }, { publishedAt });
}

/** What was said later: of this grant, or of all that there are to be. */
function newerIn({ exact, grants }: GrantSet, principal: string, operation: OperationContext) {
  const registers = [exact, grants[grantKey({ role: 'owner', principal })]];
  return registers.find((one) => one && isNewer(one.value, operation)) ?? undefined;
}

function note(owner: string, { operation }: Author): Note {
  return {
    code: 'OWNER_SUPERSEDED',
    message: `Something newer was decided about ${owner} as the schema’s owner (operation ${operation}); nothing was done about that.`,
  };
}
