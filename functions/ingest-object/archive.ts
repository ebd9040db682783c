import { publish } from '../../shared/gcp/pubsub.ts';
import { formatPlace } from '../../shared/gcp/storage/client.ts';
import { findObject } from '../../shared/gcp/storage/objects.ts';
import { hash } from '../../shared/operation/canonical.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Note, Outcome } from '../../shared/operation/outcome.ts';
import { attribute } from '../../shared/operation/request.ts';
import type { ArchiveRoute, MatchedRoute } from '../../shared/routes.ts';
import { syncRepoMetadataMessage } from '../sync-repo-metadata/message.ts';
import type { ObjectEvent } from './message.ts';

const name = 'sync-repo-metadata';

/**
 * Asks for the sync of a repository whose archive was uploaded. Whether it is allowed, and what becomes of it, is that
 * operation's, whose id is made of what is asked for, the archive's generation among it.
 *
 * @throws OperationError `NOT_A_REPOSITORY` where the object's name makes none
 */
export async function syncArchive(
  event: ObjectEvent,
  matched: MatchedRoute<ArchiveRoute>,
  operation: OperationContext,
): Promise<Outcome> {
  const { bucket, object, generation } = event;
  const place = { bucket, name: object };
  if (event.event !== 'OBJECT_FINALIZE') {
    return ended('IGNORED', `${formatPlace(place)} is gone; what was synced from it stays.`);
  }
  const live = await findObject(place, operation.signal);
  if (live?.generation !== generation) {
    const what = live ? 'There is another generation of it' : 'It is gone';
    return ended(live ? 'SUPERSEDED' : 'GONE', `${formatPlace(place)} #${generation}: ${what} by now.`);
  }
  const message = messageFor(event, matched);
  // Of the whole message: sent again after the route has changed, it asks for something else.
  const id = `archive-${hash(JSON.stringify(message)).slice(0, 40)}`;
  const sync = { function: name, operationId: id, repository: message.repository };
  const change = {
    action: 'create',
    kind: 'operation',
    name: `${name} ${id}`,
    detail: `of ${message.repository}`,
  } as const;
  if (!operation.dryRun) {
    const { publishedAt, claimedActor } = operation.asked;
    await publish(name, Buffer.from(JSON.stringify(message)), {
      [attribute.operationId]: id,
      [attribute.publishedAt]: publishedAt.toISOString(),
      ...(claimedActor === undefined ? {} : { [attribute.claimedActor]: claimedActor }),
    });
  }
  return { changes: [change], result: { sync } };
}

function messageFor(
  { bucket, object, generation }: ObjectEvent,
  { route, parts }: MatchedRoute<ArchiveRoute>,
) {
  const message = {
    repository: parts['repository'] ?? parts['rest'] ?? '',
    source: 'archive',
    archive: { bucket, object, generation },
    target: route.target,
    ...(route.schema === undefined ? {} : { schema: route.schema }),
  };
  const parsed = syncRepoMetadataMessage.safeParse(message);
  if (parsed.success) return message;
  const problems = parsed.error.issues.map((issue) => ({
    path: issue.path.join('.'),
    message: issue.message,
  }));
  const list = problems.map((problem) => `${problem.path} ${problem.message}`).join('; ');
  throw new OperationError(
    'NOT_A_REPOSITORY',
    `gs://${bucket}/${object} makes no message to ${name}: ${list}. Upload it under another name.`,
    { details: { problems } },
  );
}

function ended(code: Note['code'], message: string): Outcome {
  return { changes: [], notes: [{ code, message }] };
}
