import { formatPlace } from '../../../shared/gcp/storage/client.ts';
import { findObject } from '../../../shared/gcp/storage/objects.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import { decideManifest, formerTexts } from '../../../shared/registry/manifests/decide.ts';
import {
  beginDeletion,
  endManifest,
  manifestRef,
  readManifestRecord,
} from '../../../shared/registry/manifests/store.ts';
import type { ManifestRoute, MatchedRoute } from '../../../shared/routes.ts';
import type { ObjectEvent } from '../message.ts';
import { carryOut } from './carry-out.ts';
import { isClaimed } from './claims.ts';
import { compareItems } from './compared.ts';
import { Overtaken } from './drive.ts';
import { conclude } from './end.ts';
import { keptNotes, takenOverNotes } from './notes.ts';
import { planned } from './plan.ts';
import { formerReader, prepareAllowed } from './prepare.ts';
import { superseded } from './read-object.ts';
import { countItems } from './result.ts';

/**
 * An object is gone that held a manifest: others may speak of what it spoke of, and where it said `onDelete: revoke`, what it
 * granted is taken back. Nothing else is.
 */
export async function deleteManifest(
  event: ObjectEvent,
  matched: MatchedRoute<ManifestRoute>,
  operation: OperationContext,
): Promise<Outcome> {
  const { bucket, object, generation } = event;
  const place = { bucket, object };
  const name = formatPlace({ bucket, name: object });
  const live = await findObject({ bucket, name: object }, operation.signal);
  const said = (code: string, message: string): Outcome => ({ changes: [], notes: [{ code, message }] });
  if (live) return { changes: [], notes: [superseded(`${name} #${generation}`, live.generation)] };
  const ref = await manifestRef(operation, place);
  const known = readManifestRecord(await ref.get());
  const wish = { event: 'OBJECT_DELETE', generation, operation: operation.id } as const;
  const decision = decideManifest(known, wish);
  if (decision.kind === 'late')
    return { changes: [], notes: [superseded(`${name} #${generation}`, decision.generation)] };
  if (known === undefined) return said('GONE', `${name} is gone, and nothing of it was ever done.`);
  if (known.state === 'deleted') return said('GONE', `${name} is gone, and that was dealt with before.`);

  const texts = known.state === 'deleting' ? known.before : formerTexts(known);
  const readFormer = formerReader(operation);
  const { text } = known;
  // What the generation that was begun last says.
  const onDelete = (text === null ? undefined : readFormer({ generation, text })?.onDelete) ?? 'keep';
  const prepared = await prepareAllowed(undefined, texts, onDelete, matched, operation, readFormer);
  const notes = keptNotes(prepared.former, undefined, onDelete);
  if (operation.dryRun) {
    const compared = await compareItems(prepared.revocations, prepared.tenants, [], operation);
    return planned({ ...place, generation }, compared, new Map(), notes);
  }
  const begun = await beginDeletion(operation, place, wish);
  if (begun?.kind !== 'begun')
    return { changes: [], notes: [superseded(`${name} #${generation}`, begun?.generation ?? generation)] };
  const revocations = prepared.revocations.filter((item) => isClaimed(item, begun.held));
  const carrying = {
    ref,
    generation: { event: 'OBJECT_DELETE', ...place, generation, round: begun.round },
    forced: begun.forced,
    former: [],
  };
  try {
    const { items } = await carryOut(revocations, prepared.tenants, carrying, operation);
    const counts = countItems(items);
    const state = counts.failed + counts.skipped > 0 ? 'incomplete' : 'deleted';
    const all = [...notes, ...takenOverNotes(prepared.revocations.length - revocations.length)];
    return await conclude({ event, place, state, items, notes: all }, operation, () =>
      endManifest(operation, place, {
        generation,
        counts,
        ...(state === 'deleted' ? { state, claims: [] } : { state: 'deleting', claims: begun.record.claims }),
      }),
    );
  } catch (error) {
    if (!(error instanceof Overtaken)) throw error;
    return { changes: [], notes: [superseded(`${name} #${generation}`, error.generation)] };
  }
}
