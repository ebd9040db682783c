import { formatPlace } from '../../../shared/gcp/storage/client.ts';
import { findObject } from '../../../shared/gcp/storage/objects.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import { decideManifest } from '../../../shared/registry/manifests/decide.ts';
import type { ManifestRecord, ManifestText } from '../../../shared/registry/manifests/model.ts';
import { overtakenBy } from '../../../shared/registry/manifests/sent.ts';
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
import { conclude, concluded, concludeOvertaken, lateNote } from './end.ts';
import { keptNotes, takenOverNotes } from './notes.ts';
import { planned } from './plan.ts';
import { formerReader, prepareAllowed } from './prepare.ts';
import { countItems } from './result.ts';
import { tenantOf } from './tenants.ts';

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
  const late = (by: string): Outcome => ({ changes: [], notes: [lateNote(`${name} #${generation}`, by)] });
  if (live) return late(live.generation);
  const ref = await manifestRef(operation, place);
  const known = readManifestRecord(await ref.get());
  const wish = { event: 'OBJECT_DELETE', generation, operation: operation.id } as const;
  const decision = decideManifest(known, wish);
  if (decision.kind === 'late') return late(decision.generation);
  if (known === undefined) return said('GONE', `${name} is gone, and nothing of it was ever done.`);
  if (known.state === 'deleted') {
    const isOwn = known.operation === operation.id && known.generation === generation;
    const done = isOwn ? await concluded(event, place, operation) : undefined;
    return done ?? said('GONE', `${name} is gone, and that was dealt with before.`);
  }
  const readFormer = formerReader(operation);
  const prepareFor = async (record: ManifestRecord, before: readonly ManifestText[]) => {
    const { text, grantedBy } = record;
    // What the generation that was begun last says.
    const onDelete = (text === null ? undefined : readFormer({ generation, text })?.onDelete) ?? 'keep';
    const given = [undefined, before, onDelete, matched, operation, readFormer, grantedBy ?? []] as const;
    return { onDelete, ...(await prepareAllowed(...given)) };
  };
  let prepared = await prepareFor(known, decision.before);
  if (operation.dryRun) {
    const notes = keptNotes(prepared.former, undefined, prepared.onDelete);
    const compared = await compareItems(prepared.revocations, prepared.tenants, [], operation);
    return planned({ ...place, generation }, compared, new Map(), notes);
  }
  const begun = await beginDeletion(operation, place, wish);
  if (begun?.kind !== 'begun') return late(begun?.generation ?? generation);
  // A generation was begun or ended in between: what it granted is to be taken back as well.
  if (stateIn(begun.record) !== stateIn(known)) prepared = await prepareFor(begun.record, begun.before);
  const revocations = prepared.revocations.filter((item) => isClaimed(item, begun.held));
  const carrying = {
    ref,
    generation: {
      event: 'OBJECT_DELETE',
      ...place,
      generation,
      round: begun.round,
      tenant: tenantOf(matched),
    },
    forced: begun.forced,
    former: [],
    sent: begun.sent,
  };
  const carried = await carryOut(revocations, prepared.tenants, carrying, operation);
  const { items, overtakenBy: by } = carried;
  const notes = [
    ...keptNotes(prepared.former, undefined, prepared.onDelete),
    ...carried.notes,
    ...takenOverNotes(prepared.revocations.length - revocations.length),
  ];
  if (by !== undefined) return concludeOvertaken({ event, place, items, notes }, by, operation);
  const counts = countItems(items);
  const state = counts.failed + counts.skipped > 0 ? 'incomplete' : 'deleted';
  return conclude({ event, place, state, items, notes }, operation, async () => {
    const ended = await endManifest(operation, place, {
      generation,
      counts,
      ...(state === 'deleted' ? { state, claims: [] } : { state: 'deleting', claims: begun.record.claims }),
    });
    return ended ? undefined : overtakenBy(ref, generation, operation);
  });
}

/** What a record says of what was granted. */
function stateIn({ generation, state, before, grantedBy }: ManifestRecord): string {
  const texts = before.map((one) => one.generation);
  return JSON.stringify([generation, state, texts, grantedBy]);
}
