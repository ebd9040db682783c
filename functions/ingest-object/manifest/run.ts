import { config } from '../../../shared/config.ts';
import { classify } from '../../../shared/operation/classify.ts';
import { Deferred } from '../../../shared/operation/deferral.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Note, Outcome } from '../../../shared/operation/outcome.ts';
import { type ManifestRoute, type MatchedRoute, routeOf } from '../../../shared/routes.ts';
import type { ObjectEvent, PlanManifest } from '../message.ts';
import { finalizeManifest } from './apply.ts';
import { deleteManifest } from './deletion.ts';
import { incompleteCode } from './end.ts';
import { planText } from './plan.ts';
import { writeResult } from './result.ts';

/**
 * Makes so what a manifest says, or takes back what one granted that is gone. What comes of it is written beside it, also where
 * nothing could be done.
 *
 * @throws OperationError `INVALID_MANIFEST`, `MANIFEST_TOO_LARGE`, `NOT_ALLOWED`, `TENANT_NOT_ACTIVE`, `CLAIMED`, `MANIFEST_INCOMPLETE`
 * @throws Deferred while its operations are under way and there is no time to wait for them
 */
export async function applyManifest(
  event: ObjectEvent,
  matched: MatchedRoute<ManifestRoute>,
  operation: OperationContext,
): Promise<Outcome> {
  const act = event.event === 'OBJECT_FINALIZE' ? finalizeManifest : deleteManifest;
  try {
    return await act(event, matched, operation);
  } catch (thrown) {
    if (operation.dryRun || operation.signal.aborted || thrown instanceof Deferred) throw thrown;
    const error = classify(thrown);
    if (!error.retryable && error.code !== incompleteCode) await tellRefusal(event, error, operation);
    throw thrown;
  }
}

/** Beside the manifest, for whoever uploaded it: an operation's record is for whoever runs Drover. */
async function tellRefusal(
  { event, bucket, object, generation }: ObjectEvent,
  { code, message, details }: OperationError,
  { id, signal, log }: OperationContext,
): Promise<void> {
  const result = {
    manifest: { bucket, object, generation },
    event,
    operation: id,
    state: 'refused',
    summary: { unchanged: 0, changed: 0, failed: 0, skipped: 0 },
    items: [],
    notes: [],
    error: { code, message, ...(details ? { details } : {}) },
  } as const;
  await writeResult(result, signal).catch((problem: unknown) => {
    const known = classify(problem);
    if (known.retryable) throw problem;
    log.log('WARNING', 'result not written', { code: known.code, problem: known.message });
  });
}

/**
 * What a manifest would do, if it were uploaded.
 *
 * @throws OperationError `DRY_RUN_ONLY`, `INVALID_MANIFEST`
 */
export async function planManifest(message: PlanManifest, operation: OperationContext): Promise<Outcome> {
  if (!operation.dryRun) {
    throw new OperationError(
      'DRY_RUN_ONLY',
      'A manifest is planned in a dry run: send the attribute dry-run, or upload the manifest.',
    );
  }
  const { manifest, bucket = '', object = '' } = message;
  if (bucket === '' || object === '') return planText(manifest, { bucket, object }, {}, operation);
  const found = routeOf({ bucket, object }, config().DROVER_ROUTES);
  const matched = found?.route.kind === 'manifest' ? { ...found, route: found.route } : undefined;
  const outcome = await planText(manifest, { bucket, object }, matched ? { matched } : {}, operation);
  if (matched) return outcome;
  return { ...outcome, notes: [...(outcome.notes ?? []), unrouted(bucket, object)] };
}

function unrouted(bucket: string, object: string): Note {
  const message = `No route of the kind manifest covers gs://${bucket}/${object}: uploaded there, it does nothing of this. The routes are in DROVER_ROUTES.`;
  return { code: 'NO_MANIFEST_ROUTE', message };
}
