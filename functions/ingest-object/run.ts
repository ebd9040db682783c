import { config } from '../../shared/config.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { isOwnObject, type MatchedRoute, routeOf } from '../../shared/routes.ts';
import { withdrawFailure, withFailureKept } from './failure.ts';
import type { IngestObjectMessage, ObjectEvent } from './message.ts';

/** Finds the route of an object and goes it. */
export async function ingest(message: IngestObjectMessage, operation: OperationContext): Promise<Outcome> {
  if (message.event === 'PLAN_MANIFEST') {
    return (await import('./manifest/run.ts')).planManifest(message, operation);
  }
  // What consoles show as a folder is an object without content, under whatever route.
  const matched = message.object.endsWith('/') ? undefined : routeOf(message, config().DROVER_ROUTES);
  if (matched === undefined) return ignored(whyIgnored(message));
  return withFailureKept(message, operation, async () => {
    const outcome = await go(message, matched, operation);
    await withdrawFailure(message, operation);
    return outcome;
  });
}

/** Each kind is loaded by whoever gets one: image libraries are large. */
async function go(
  event: ObjectEvent,
  { route, ...matched }: MatchedRoute,
  operation: OperationContext,
): Promise<Outcome> {
  switch (route.kind) {
    case 'media':
      return (await import('./media/ingest.ts')).ingestMedia(event, { ...matched, route }, operation);
    case 'manifest':
      return (await import('./manifest/run.ts')).applyManifest(event, { ...matched, route }, operation);
    case 'archive':
      return (await import('./archive.ts')).syncArchive(event, { ...matched, route }, operation);
  }
}

function whyIgnored({ bucket, object }: ObjectEvent): string {
  if (isOwnObject(object)) return `gs://${bucket}/${object} is Drover’s own.`;
  if (object.endsWith('/')) return `gs://${bucket}/${object} is a folder.`;
  return `No route covers gs://${bucket}/${object}. The routes are in DROVER_ROUTES.`;
}

function ignored(why: string): Outcome {
  return { changes: [], notes: [{ code: 'IGNORED', message: why }] };
}
