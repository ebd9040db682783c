import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { Note, Outcome } from '../../../shared/operation/outcome.ts';
import { decideManifest, formerTexts } from '../../../shared/registry/manifests/decide.ts';
import type {
  ManifestPlace,
  ManifestRecord,
  ManifestText,
} from '../../../shared/registry/manifests/model.ts';
import { findConflicts, manifestRef, readManifestRecord } from '../../../shared/registry/manifests/store.ts';
import type { ManifestRoute, MatchedRoute } from '../../../shared/routes.ts';
import { conflictInWords, conflictsLeft } from './begin.ts';
import { expiredNotes } from './carry-out.ts';
import { claimsOf, isClaimed } from './claims.ts';
import type { Compared } from './compare/model.ts';
import { compareItems } from './compared.ts';
import type { Item } from './items.ts';
import { keptNotes } from './notes.ts';
import { formerReader, formerWishes, type Prepared, prepare } from './prepare.ts';
import { readManifest } from './read.ts';
import { boundedItems, changesOf, itemNotes, type Problem, plannedItems } from './result.ts';

/** What is known of a text beside where it is, or would be. */
export interface Planning {
  readonly matched?: MatchedRoute<ManifestRoute>;
  readonly generation?: string;
}

/**
 * What a manifest would do. Nothing is written; what is refused is said of each item.
 *
 * @param place of empty names where it isn't to be uploaded anywhere
 * @throws OperationError `INVALID_MANIFEST`
 */
export async function planText(
  text: string,
  place: ManifestPlace,
  { matched, generation }: Planning,
  operation: OperationContext,
): Promise<Outcome> {
  const manifest = readManifest(text);
  const known = await recordOf(place, operation);
  const before = formerOf(known, generation, operation);
  const readFormer = formerReader(operation, [[text, manifest]]);
  const own = known?.grantedBy ?? [];
  const prepared = await prepare(manifest, before, manifest.onDelete, matched, operation, readFormer, own);
  const { refused, tenants, former } = prepared;
  const conflicts = await conflictsLeft(
    await findConflicts(operation, place, claimsOf(prepared.items)),
    operation,
  );
  const problems = new Map<string, Problem>(refused.map(({ key, error }) => [key, error]));
  for (const conflict of conflicts) {
    const claim = [{ scope: conflict.scope, names: [conflict.name] }];
    for (const item of prepared.items.filter((one) => isClaimed(one, claim))) {
      const problem = { code: 'CLAIMED', message: conflictInWords(conflict) };
      if (!problems.has(item.wanted.key)) problems.set(item.wanted.key, problem);
    }
  }
  const wishes = formerWishes(known, generation, before, readFormer);
  const hidden = new Set(refused.map(({ key }) => key));
  const compared = await compareItems(lookable(prepared, hidden), tenants, wishes, operation, hidden);
  const notes = [...expiredNotes(compared), ...keptNotes(former, manifest, manifest.onDelete)];
  const where = { ...place, ...(generation === undefined ? {} : { generation }) };
  return planned(where, compared, problems, notes);
}

/** Who may do nothing in a database has nobody look into it. */
function lookable({ items, revocations }: Prepared, hidden: ReadonlySet<string>): Item[] {
  const all = [...items, ...revocations];
  const isRefused = ({ wanted }: Item) => hidden.has(wanted.key);
  const open = new Set(all.filter((item) => !isRefused(item)).map(({ where }) => where));
  return all.map((item) =>
    open.has(item.where) ? item : { ...item, where: { ...item.where, exists: false } },
  );
}

async function recordOf(place: ManifestPlace, operation: OperationContext) {
  if (place.bucket === '' || place.object === '') return undefined;
  return readManifestRecord(await (await manifestRef(operation, place)).get());
}

/** The texts that generations before the planned one left. */
function formerOf(
  record: ManifestRecord | undefined,
  generation: string | undefined,
  { id }: OperationContext,
): readonly ManifestText[] {
  if (record === undefined) return [];
  if (generation === undefined) return formerTexts(record);
  const decision = decideManifest(record, { event: 'OBJECT_FINALIZE', generation, operation: id });
  return decision.kind === 'late' ? [] : decision.before;
}

/** The outcome of a plan. */
export function planned(
  manifest: Partial<ManifestPlace> & { readonly generation?: string },
  compared: readonly Compared[],
  problems: ReadonlyMap<string, Problem>,
  notes: readonly Note[],
): Outcome {
  const items = plannedItems(compared, problems);
  const count = (state: string) => items.filter((item) => item.state === state).length;
  return {
    changes: changesOf(items),
    notes: [...notes, ...itemNotes(items)],
    summary: { unchanged: count('unchanged'), changed: count('change'), refused: count('refused') },
    result: { manifest, ...boundedItems(items) },
  };
}
