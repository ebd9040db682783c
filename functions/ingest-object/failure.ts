import { publish } from '../../shared/gcp/pubsub.ts';
import { noteOnObject } from '../../shared/gcp/storage/notes.ts';
import { findObject } from '../../shared/gcp/storage/objects.ts';
import { classify } from '../../shared/operation/classify.ts';
import { deadLetterAttributes, deadLetterTopic } from '../../shared/operation/dead-letter.ts';
import { Deferred } from '../../shared/operation/deferral.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { OperationError } from '../../shared/operation/errors.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import type { ObjectEvent } from './message.ts';

/** Custom metadata of an object whose route failed for good. */
const tag = { state: 'drover-state', error: 'drover-error', operation: 'drover-operation' } as const;

const untagged = { [tag.state]: null, [tag.error]: null, [tag.operation]: null };

/**
 * Where an object's route fails for good, a copy of the event goes to the dead letters and the object is tagged; it is never
 * deleted or moved. Both come before the operation ends, so that a crash repeats them; neither does harm twice.
 */
export async function withFailureKept(
  event: ObjectEvent,
  operation: OperationContext,
  run: () => Promise<Outcome>,
): Promise<Outcome> {
  try {
    return await run();
  } catch (thrown) {
    if (operation.dryRun || thrown instanceof Deferred || operation.signal.aborted) throw thrown;
    const error = classify(thrown);
    if (!error.retryable) await keepFailure(event, error, operation);
    throw thrown;
  }
}

async function keepFailure(event: ObjectEvent, error: OperationError, operation: OperationContext) {
  const { operationId, asked } = operation;
  await unlessRefused(operation, 'the event could not be copied to the dead letters', () =>
    publish(
      deadLetterTopic,
      Buffer.from(JSON.stringify(event)),
      deadLetterAttributes('ingest-object', { operationId, publishedAt: asked.publishedAt }),
    ),
  );
  await unlessRefused(operation, 'the object could not be tagged', () =>
    mark(event, { [tag.state]: 'failed', [tag.error]: error.code, [tag.operation]: operation.id }, operation),
  );
}

/** Takes the tags off an object that was dealt with after all. */
export async function withdrawFailure(event: ObjectEvent, operation: OperationContext): Promise<void> {
  if (operation.dryRun) return;
  await unlessRefused(operation, 'the object’s tags could not be taken off', () =>
    mark(event, untagged, operation),
  );
}

/** Only the generation that the event is about, and only where that changes something. */
async function mark(
  { bucket, object, generation }: ObjectEvent,
  notes: Readonly<Record<string, string | null>>,
  { signal }: OperationContext,
): Promise<void> {
  const live = await findObject({ bucket, name: object }, signal);
  if (live?.generation !== generation) return;
  const differs = Object.entries(notes).some(([key, value]) => (live.metadata[key] ?? null) !== value);
  if (differs) await noteOnObject(live, notes, signal);
}

/** What may work the next time ends this attempt; what is refused is a note for whoever runs Drover, and no reason of its own. */
async function unlessRefused(
  { log }: OperationContext,
  what: string,
  act: () => Promise<unknown>,
): Promise<void> {
  try {
    await act();
  } catch (thrown) {
    const problem = classify(thrown);
    if (problem.retryable) throw thrown;
    log.log('WARNING', what, { code: problem.code, problem: problem.message });
  }
}
