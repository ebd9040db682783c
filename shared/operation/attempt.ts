import type { Firestore } from '@google-cloud/firestore';
import { config } from '../config.ts';
import { preparePublishing } from '../gcp/pubsub.ts';
import type { Pools } from '../postgres/pools.ts';
import { pools } from '../postgres/process-pools.ts';
import { type Claim, transactAsHolder } from '../registry/claims.ts';
import type { End } from '../registry/completion.ts';
import { registerDatabase } from '../registry/databases.ts';
import { type Intent, recordIntent, Superseded } from '../registry/intents.ts';
import { inSpan } from '../telemetry/trace.ts';
import { hash } from './canonical.ts';
import { classify } from './classify.ts';
import { Deferred, type Waiting, waitingFor } from './deferral.ts';
import type { OperationContext } from './definition.ts';
import type { OperationError } from './errors.ts';
import { keepLease } from './lease.ts';
import type { Received } from './received.ts';
import type { Limits } from './running.ts';

export interface Attempted {
  readonly end:
    | End
    | { readonly state: 'pending'; readonly error: OperationError }
    | ({ readonly state: 'deferred' } & Waiting);
  /** The intent that the handler recorded, and what it says came of it. */
  readonly intent: Intent | undefined;
  readonly facts: Record<string, unknown>;
}

/** Runs the handler once, under the lease, and says how that ended. Never throws. */
export async function attempt<M>(
  db: Firestore,
  claim: Claim,
  received: Received<M>,
  { controller, deadline }: Limits,
): Promise<Attempted> {
  const { definition, request, data, refused, delivery } = received;
  const failed = (error: OperationError, reason: 'rejected' | 'permanent'): End => ({
    state: 'failed',
    error,
    reason,
    delivery,
  });
  if (refused || !('message' in data)) {
    const error = refused ?? classify(new Error('a message without content was accepted'));
    return { end: failed(error, 'rejected'), intent: undefined, facts: {} };
  }
  let intent: Intent | undefined;
  let facts: Record<string, unknown> = {};

  const run = async (): Promise<Attempted['end']> => {
    const lease = keepLease(claim, config().DROVER_LEASE_SECONDS, controller);
    const context: OperationContext = {
      id: claim.id,
      operationId: request.operationId,
      dryRun: request.dryRun,
      signal: controller.signal,
      assertHeld: lease.assertHeld,
      remainingMs: () => Math.max(1, deadline - Date.now()),
      log: received.log,
      pools: preparing(pools()),
      asked: {
        ...claim.order,
        ...(request.claimedActor === undefined ? {} : { claimedActor: request.claimedActor }),
      },
      transact: (refs, update) => transactAsHolder(db, claim, refs, update),
      registry: async (collection, ...key) => db.collection(collection).doc(hash(...key).slice(0, 40)),
      intend: async (wish) => {
        await registerDatabase(db, wish.identity);
        intent = await recordIntent(db, claim, wish);
        return intent;
      },
      fulfil: (found) => {
        facts = found;
      },
    };
    try {
      const outcome = await inSpan('drover.run', { 'drover.attempt': claim.epoch }, () =>
        definition.run(data.message, context),
      );
      return { state: request.dryRun ? 'planned' : 'succeeded', outcome };
    } catch (thrown) {
      if (thrown instanceof Superseded) {
        intent = undefined;
        return {
          state: request.dryRun ? 'planned' : 'succeeded',
          outcome: { changes: [], notes: [{ code: 'SUPERSEDED', message: thrown.message }] },
        };
      }
      // Whether its time is over or not, there is something to wait for.
      if (thrown instanceof Deferred) return { state: 'deferred', ...waitingFor(thrown, new Date()) };
      const error = classify(controller.signal.aborted ? controller.signal.reason : thrown);
      return error.retryable ? { state: 'pending', error } : failed(error, 'permanent');
    } finally {
      await lease.stop();
    }
  };
  const end = await run();
  return { end, intent, facts: { ...facts, operation: claim.id, at: new Date() } };
}

/**
 * The pools, with a use for the time that PostgreSQL takes: what the report needs is loaded in it. Earlier, loading
 * would hold up the login, and PostgreSQL would have nothing to do meanwhile.
 */
function preparing(pools: Pools): Pools {
  return {
    ...pools,
    withConnection: (target, options, use) =>
      pools.withConnection(target, options, (client, loan) => {
        const used = use(client, loan); // sends its first statement
        preparePublishing();
        return used;
      }),
  };
}
