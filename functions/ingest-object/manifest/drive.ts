import { setTimeout as sleep } from 'node:timers/promises';
import type { DocumentReference } from '@google-cloud/firestore';
import { config } from '../../../shared/config.ts';
import { publish } from '../../../shared/gcp/pubsub.ts';
import { canonicalJson, hash } from '../../../shared/operation/canonical.ts';
import { Deferred } from '../../../shared/operation/deferral.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { attribute } from '../../../shared/operation/request.ts';
import { type ManifestRecord, runOf, type SentOperation } from '../../../shared/registry/manifests/model.ts';
import { noteSent, overtakenBy, type Sending } from '../../../shared/registry/manifests/sent.ts';
import type { OperationRecord } from '../../../shared/registry/operations.ts';
import type { Refusal } from './compare/model.ts';
import type { Derived } from './derived.ts';
import { withoutOver } from './over.ts';
import { decideWait, type Patience, waitedFor } from './patience.ts';
import type { Generation } from './publication.ts';
import { isOver, schedule } from './schedule.ts';
import { readAll } from './state.ts';
import { type Progress, type Step, stateOf } from './steps.ts';

const mostUnderWay = 50;

const firstPauseMs = 100;
const longestPauseMs = 1000;

/** Whose the steps are. */
export interface Driving {
  /** Of the manifest's own document. */
  readonly ref: DocumentReference;
  readonly generation: Pick<Generation, 'event' | 'generation'>;
  /** What was sent before. */
  readonly sent: ManifestRecord['sent'];
  readonly patience?: Partial<Patience>;
}

/** A step whose turn it is, and what is sent for it. */
interface Sent {
  readonly step: Step;
  readonly derived: Derived;
}

/**
 * Sends what is to be sent, in its order, and waits until all of it has ended.
 *
 * @returns the generation that was begun meanwhile, where one was: what it asks for outranks what this one did
 * @throws Deferred where nothing moves, or time runs out: called again, it goes on
 * @throws OperationError `LEASE_LOST`
 */
export async function drive(
  progress: Progress,
  driving: Driving,
  operation: OperationContext,
): Promise<string | undefined> {
  const { steps, states, records, because, refused } = progress;
  const { ref, generation } = driving;
  const limits = { ...patienceOf(), ...driving.patience };
  const sent = new Map<string, SentOperation>(Object.entries(driving.sent));
  const ended: string[] = [];
  const underWay = () => steps.filter(({ id }) => states.get(id) === 'under way');
  let movedAt = Date.now();
  for (let pause = firstPauseMs; ; ) {
    const next = schedule(steps, states, mostUnderWay);
    for (const one of next.skip) {
      states.set(one.id, 'skipped');
      because.set(one.id, one.because);
    }
    const sending = takeTurns(progress, next.send);
    if (sending.length > 0) {
      const noted = sending.map((one) => asSending(one, runOf(generation)));
      const by = await noteSent(operation, ref, generation.generation, noted, ended.splice(0));
      if (by !== undefined) {
        for (const { step } of sending) states.set(step.id, 'waiting');
        return by;
      }
      operation.assertHeld();
      const published = await Promise.allSettled(sending.map((one) => send(one, operation)));
      const failed = published.findIndex(({ status }) => status === 'rejected');
      if (failed !== -1) {
        // The next attempt needn't wait for what was never published.
        const ids = noted.filter((_, at) => published[at]?.status === 'rejected').map(({ id }) => id);
        await noteSent(operation, ref, generation.generation, [], ids).catch(() => undefined);
        throw (published[failed] as PromiseRejectedResult).reason;
      }
      const last = new Date();
      for (const one of noted) sent.set(one.id, { ...one, at: sent.get(one.id)?.at ?? last, last });
      movedAt = Date.now();
    }
    if (isOver(states)) return undefined;
    if (operation.remainingMs() < limits.reserveMs || Date.now() - movedAt > limits.stillMs) {
      const since = underWay().flatMap((step) => sent.get(step.ref.id)?.at ?? []);
      throw new Deferred('Operations of the manifest are under way', waitedFor(since, new Date()));
    }
    pause = sending.length > 0 ? firstPauseMs : Math.min(pause * 1.5, longestPauseMs);
    await sleep(pause, undefined, { signal: operation.signal });
    const waited = underWay();
    const [by, found] = await Promise.all([
      overtakenBy(ref, generation.generation, operation),
      readAll(waited.map((step) => step.ref)),
    ]);
    for (const [at, step] of waited.entries()) {
      const record = found[at]?.data() as OperationRecord | undefined;
      if (record !== undefined) {
        records.set(step.id, record);
        states.set(step.id, stateOf(record));
      }
      if (states.get(step.id) !== 'under way') {
        movedAt = Date.now();
        ended.push(step.ref.id);
        continue;
      }
      // Of one that is followed since an earlier round it is known when it came.
      const known = sent.get(step.ref.id) ?? arrivalOf(record);
      const isSame = sent.get(step.ref.id)?.hash === contentOf(step);
      const decision = decideWait(known, record, { now: new Date(), isSame, resendMs: limits.resendMs });
      if (decision === 'again') states.set(step.id, 'waiting');
      if (decision !== 'give up' || known === undefined) continue;
      states.set(step.id, 'failed');
      records.delete(step.id);
      refused.set(step.id, lost(step, known.at, record));
    }
    if (by !== undefined) return by;
  }
}

function patienceOf(): Patience {
  return { reserveMs: 20_000, stillMs: 60_000, resendMs: config().DROVER_LEASE_SECONDS * 1000 };
}

/** What of the steps whose turn it is there is to send. */
function takeTurns({ steps, states, over }: Progress, ids: readonly string[]): Sent[] {
  const turns = steps.filter(({ id }) => ids.includes(id));
  return turns.flatMap((step) => {
    if (step.derived === undefined) throw new Error(`there is nothing to send for ${step.operationId}`);
    const { derived, count } = withoutOver(step.derived, new Date());
    if (count > 0) over.set(step.id, count);
    states.set(step.id, derived ? 'under way' : 'unchanged');
    return derived ? [{ step, derived }] : [];
  });
}

function asSending({ step: { key, ref }, derived }: Sent, run: string): Sending {
  const { function: name, message } = derived;
  const grants = name === 'grant-roles' && message['mode'] !== 'revoke';
  return { id: ref.id, key, function: name, run, grants, hash: hashOf(derived) };
}

function contentOf({ derived }: Step): string {
  return hashOf(derived && withoutOver(derived, new Date()).derived);
}

function hashOf(derived: Derived | undefined): string {
  return hash(canonicalJson(derived?.message ?? null)).slice(0, 20);
}

/** Dated as the manifest is, unless the step says when: what an older generation asks for never outranks what a newer one does. */
async function send(
  { step: { operationId, tenant, dated }, derived }: Sent,
  { asked }: OperationContext,
): Promise<void> {
  const date = dated !== undefined && dated < asked.publishedAt ? dated : asked.publishedAt;
  await publish(derived.function, Buffer.from(JSON.stringify(derived.message)), {
    [attribute.operationId]: operationId,
    [attribute.publishedAt]: date.toISOString(),
    ...(tenant === undefined ? {} : { [attribute.tenant]: tenant }),
    ...(asked.claimedActor === undefined ? {} : { [attribute.claimedActor]: asked.claimedActor }),
  });
}

function arrivalOf(record: OperationRecord | undefined): Pick<SentOperation, 'at' | 'last'> | undefined {
  const at = record?.createdAt?.toDate();
  return at && { at, last: at };
}

function lost({ operationId, derived }: Step, at: Date, record: OperationRecord | undefined): Refusal {
  const name = derived?.function ?? 'its function';
  const what = record ? `is still ${record.state}` : 'has no record';
  return {
    code: 'OPERATION_LOST',
    message: `The operation ${operationId}, sent to ${name} at ${at.toISOString()}, ${what}, and is not waited for any longer. See that ${name} runs and its subscription delivers, and replay this.`,
  };
}
