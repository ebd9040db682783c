import { setTimeout as sleep } from 'node:timers/promises';
import type { DocumentReference } from '@google-cloud/firestore';
import { publish } from '../../../shared/gcp/pubsub.ts';
import { Deferred } from '../../../shared/operation/deferral.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { attribute } from '../../../shared/operation/request.ts';
import { readManifestRecord } from '../../../shared/registry/manifests/store.ts';
import type { OperationRecord } from '../../../shared/registry/operations.ts';
import { isOver, schedule } from './schedule.ts';
import { readAll } from './state.ts';
import { type Progress, type Step, stateOf } from './steps.ts';

const mostUnderWay = 50;

const firstPauseMs = 100;
const longestPauseMs = 1000;

/** With less time left the operation waits for its next turn. */
const reserveMs = 20_000;
const deferMs = 60_000;

/** Thrown where a newer event of the same object was begun meanwhile: what it asks for outranks what this one did. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
  readonly generation: string;

  constructor(generation: string) {
    super(`Generation ${generation} was begun meanwhile`);
    this.generation = generation;
  }
}

/** Whose the steps are. */
export interface Driving {
  /** Of the manifest's own document. */
  readonly ref: DocumentReference;
  readonly generation: string;
}

/**
 * Sends what is to be sent, in its order, and waits until all of it has ended.
 *
 * @throws Overtaken
 * @throws Deferred where time runs out: called again, it goes on
 */
export async function drive(
  progress: Progress,
  { ref, generation }: Driving,
  operation: OperationContext,
): Promise<void> {
  const { steps, states, records, because } = progress;
  for (let pause = firstPauseMs; ; ) {
    const next = schedule(steps, states, mostUnderWay);
    for (const one of next.skip) {
      states.set(one.id, 'skipped');
      because.set(one.id, one.because);
    }
    const sent = steps.filter(({ id }) => next.send.includes(id));
    if (sent.length > 0) operation.assertHeld();
    await Promise.all(sent.map((step) => send(step, operation)));
    for (const { id } of sent) states.set(id, 'under way');
    if (isOver(states)) return;
    if (operation.remainingMs() < reserveMs) {
      const notBefore = new Date(Date.now() + deferMs);
      throw new Deferred('Operations of the manifest are under way', notBefore);
    }
    pause = sent.length > 0 ? firstPauseMs : Math.min(pause * 1.5, longestPauseMs);
    await sleep(pause, undefined, { signal: operation.signal });
    const underWay = steps.filter(({ id }) => states.get(id) === 'under way');
    const [manifest, ...found] = await readAll([ref, ...underWay.map((step) => step.ref)]);
    const record = readManifestRecord(manifest);
    if (record?.generation !== generation || record.operation !== operation.id)
      throw new Overtaken(record?.generation ?? generation);
    for (const [at, { id }] of underWay.entries()) {
      const ended = found[at]?.data() as OperationRecord | undefined;
      if (ended === undefined) continue;
      states.set(id, stateOf(ended));
      records.set(id, ended);
    }
  }
}

/** Dated as the manifest is: what an older generation asks for never outranks what a newer one does. */
async function send({ derived, operationId }: Step, { asked }: OperationContext): Promise<void> {
  if (derived === undefined) throw new Error(`there is nothing to send for ${operationId}`);
  await publish(derived.function, Buffer.from(JSON.stringify(derived.message)), {
    [attribute.operationId]: operationId,
    [attribute.publishedAt]: asked.publishedAt.toISOString(),
    ...(asked.claimedActor === undefined ? {} : { [attribute.claimedActor]: asked.claimedActor }),
  });
}
