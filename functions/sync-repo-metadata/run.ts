import { classify } from '../../shared/operation/classify.ts';
import { Deferred } from '../../shared/operation/deferral.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { recordFailure, recordSync, repositoryRef } from '../../shared/registry/repositories/store.ts';
import { ensureSchema } from '../../shared/schemas/ensure.ts';
import { type SyncRepoMetadataMessage, schemaOf } from './message.ts';
import { outcomeOf } from './outcome.ts';
import { chooseSource } from './source/choose.ts';
import { type Synced, syncRepository } from './sync.ts';
import type { Wanted } from './tables/transactions.ts';

/** Syncs, and writes down in the registry what came of it. */
export async function runSync(
  message: SyncRepoMetadataMessage,
  operation: OperationContext,
): Promise<Outcome> {
  const wanted: Wanted = { ...message, schema: message.schema ?? schemaOf(message.repository) };
  const { repository, source, target, schema } = wanted;
  const identity = { repository, source, ...target, schema };
  const ref = await repositoryRef(operation, identity);
  try {
    const source = await chooseSource(wanted, operation);
    // Nothing is made for a repository that isn't there.
    const made = await ensureSchema(wanted, operation, () => source(undefined));
    const synced = await syncRepository(wanted, operation, source, made.exists);
    if (synced.kind === 'done' || synced.kind === 'written') {
      await recordSync(operation, ref, { ...identity, ...factsOf(wanted, synced) });
    }
    return outcomeOf(wanted, synced, made);
  } catch (thrown) {
    const error = classify(operation.signal.aborted ? operation.signal.reason : thrown);
    if (!error.retryable && !(thrown instanceof Deferred)) {
      await recordFailure(operation, ref, identity, error).catch((problem: unknown) => {
        operation.log.log('WARNING', 'failure not noted', { problem: classify(problem).message });
      });
    }
    throw thrown;
  }
}

function factsOf({ ref }: Wanted, { run, collections }: Extract<Synced, { readonly run: unknown }>) {
  const { number, commit, committedAt, syncedAt, counts, problems } = run;
  return {
    ...(ref === undefined ? {} : { ref }),
    ...(commit === undefined ? {} : { commit }),
    ...(committedAt === undefined ? {} : { committedAt }),
    number,
    syncedAt,
    counts,
    collections,
    problems,
  };
}
