import { formatPlace } from '../../../shared/gcp/storage/client.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import { decideManifest } from '../../../shared/registry/manifests/decide.ts';
import type { ManifestText } from '../../../shared/registry/manifests/model.ts';
import { overtakenBy } from '../../../shared/registry/manifests/sent.ts';
import { endManifest, manifestRef, readManifestRecord } from '../../../shared/registry/manifests/store.ts';
import type { ManifestRoute, MatchedRoute } from '../../../shared/routes.ts';
import type { ObjectEvent } from '../message.ts';
import { beginOrRefuse } from './begin.ts';
import { type CarriedOut, type Carrying, carryOut } from './carry-out.ts';
import { claimsOf, isClaimed } from './claims.ts';
import { conclude, concluded, concludeOvertaken, lateNote } from './end.ts';
import { itemsOf } from './items.ts';
import type { Manifest } from './model.ts';
import { keptNotes, takenOverNotes } from './notes.ts';
import { planText } from './plan.ts';
import { formerReader, formerWishes, type Prepared, prepareAllowed } from './prepare.ts';
import { readManifestBytes } from './read.ts';
import { readGeneration } from './read-object.ts';
import { countItems } from './result.ts';
import { readTenants, tenantOf } from './tenants.ts';

/**
 * Makes so what a manifest says:
 *
 *     1 read       exactly this generation, if it is the one that is there
 *     2 prepare    what it wants, and what is to be taken back of what it no longer names; all of that is allowed, or nothing is done
 *     3 begin      text and claims in the registry, unless something newer was begun, or others speak of the same
 *     4 carry out  compare with what is so, send what differs in its order, wait; of a tenant's manifest the tenant first
 *     5 end        the result beside the manifest, then the registry
 *
 * Run again after a crash it finds what it sent by the ids, which are made of the generation.
 */
export async function finalizeManifest(
  event: ObjectEvent,
  matched: MatchedRoute<ManifestRoute>,
  operation: OperationContext,
): Promise<Outcome> {
  const { bucket, object, generation } = event;
  const place = { bucket, object };
  const name = `${formatPlace({ bucket, name: object })} #${generation}`;
  const found = await readGeneration({ bucket, name: object }, generation, operation.signal);
  if ('note' in found) return { changes: [], notes: [found.note] };
  const manifest = readManifestBytes(found.bytes);
  const text = found.bytes.toString();
  if (operation.dryRun) return planText(text, place, { matched, generation }, operation);

  const ref = await manifestRef(operation, place);
  const known = readManifestRecord(await ref.get());
  const wish = { event: 'OBJECT_FINALIZE', generation, operation: operation.id } as const;
  const decision = decideManifest(known, wish);
  if (decision.kind === 'late') return { changes: [], notes: [lateNote(name, decision.generation)] };
  const isDone = known?.generation === generation && known.state === 'applied';
  const done = isDone && known.operation === operation.id && (await concluded(event, place, operation));
  if (done) return done;
  const readFormer = formerReader(operation, [[text, manifest]]);
  const prepareWith = (before: readonly ManifestText[], grantedBy: readonly string[] = []) =>
    prepareAllowed(manifest, before, manifest.onDelete, matched, operation, readFormer, grantedBy);
  let prepared = await prepareWith(decision.before, known?.grantedBy);
  let claims = claimsOf(prepared.items);
  const revoking = claimsOf(prepared.revocations);
  const begun = await beginOrRefuse(operation, { place, wish, text, claims, revoking });
  if (begun.kind === 'late') return { changes: [], notes: [lateNote(name, begun.generation)] };
  // Another generation was begun and ended in between: what it granted is to be taken back as well.
  const isSame =
    generationsIn(begun.before) === generationsIn(decision.before) &&
    begun.grantedBy.join() === (known?.grantedBy ?? []).join();
  if (!isSame) prepared = await prepareWith(begun.before, begun.grantedBy);

  const carrying: Carrying = {
    ref,
    generation: { event: event.event, ...place, generation, round: begun.round, tenant: tenantOf(matched) },
    forced: begun.forced,
    former: formerWishes(known, generation, begun.before, readFormer),
    sent: begun.sent,
  };
  const revocations = prepared.revocations.filter((item) => isClaimed(item, [...claims, ...begun.held]));
  // What things are called is known, and can be claimed, once the tenant is there that has them.
  const nameAll = async () => {
    prepared = await prepareWith(begun.before, begun.grantedBy);
    claims = claimsOf(prepared.items);
    const again = await beginOrRefuse(operation, { place, wish, text, claims, revoking });
    return again.kind === 'late' ? again.generation : undefined;
  };
  const carried = await carryOutAll(manifest, { ...prepared, revocations }, carrying, operation, nameAll);
  const notes = [
    ...carried.notes,
    ...keptNotes(prepared.former, manifest, manifest.onDelete),
    ...takenOverNotes(prepared.revocations.length - revocations.length),
  ];
  const { items, overtakenBy: by } = carried;
  if (by !== undefined) return concludeOvertaken({ event, place, items, notes }, by, operation);
  const state = isWhole(carried) ? 'applied' : 'incomplete';
  return conclude({ event, place, state, items, notes }, operation, async () => {
    const ended = await endManifest(operation, place, {
      generation,
      state,
      counts: countItems(items),
      // What could not be taken back stays its own.
      claims: state === 'applied' ? claims : [...claims, ...begun.held],
    });
    return ended ? undefined : overtakenBy(ref, generation, operation);
  });
}

/**
 * The tenant first: what comes after it is compared with what it has then.
 *
 * @param nameAll called once the tenant is there, where its names were not known before; the generation that was begun meanwhile
 */
async function carryOutAll(
  manifest: Manifest,
  { items, revocations, tenants, logins }: Prepared,
  carrying: Carrying,
  operation: OperationContext,
  nameAll: () => Promise<string | undefined>,
): Promise<CarriedOut> {
  const tenant = items.filter(({ wanted }) => wanted.kind === 'tenant');
  if (tenant.length === 0) return carryOut([...items, ...revocations], tenants, carrying, operation);
  const first = await carryOut(tenant, tenants, carrying, operation);
  if (first.overtakenBy !== undefined) return first;
  const isUnnamed = tenant.some(({ where }) => where.isUnnamed);
  const by = isWhole(first) && isUnnamed ? await nameAll() : undefined;
  if (by !== undefined) return { ...first, overtakenBy: by };
  const there = isWhole(first) ? await readTenants([manifest], undefined, operation) : tenants;
  const rest = itemsOf(manifest, there, logins).filter(({ wanted }) => wanted.kind !== 'tenant');
  const then = isWhole(first)
    ? rest
    : rest.map(({ wanted, where }) => ({ wanted, where: { ...where, exists: false } }));
  const second = await carryOut([...then, ...revocations], there, carrying, operation, first.states);
  return {
    items: [...first.items, ...second.items],
    notes: [...first.notes, ...second.notes],
    overtakenBy: second.overtakenBy,
  };
}

function isWhole({ items }: Pick<CarriedOut, 'items'>): boolean {
  return !items.some(({ state }) => state === 'failed' || state === 'skipped');
}

function generationsIn(before: readonly ManifestText[]): string {
  return before.map(({ generation }) => generation).join();
}
