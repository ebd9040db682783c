import { config } from '../../../shared/config.ts';
import { classify } from '../../../shared/operation/classify.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { ManifestRecord, ManifestText } from '../../../shared/registry/manifests/model.ts';
import type { ManifestRoute, MatchedRoute } from '../../../shared/routes.ts';
import { isActive, notAllowed, type Refused, refusedItems } from './authorize.ts';
import { type Item, itemsOf, revocationItems, type Tenants } from './items.ts';
import type { Logins } from './logins.ts';
import type { Manifest } from './model.ts';
import { readManifest } from './read.ts';
import { readLogins } from './secret-logins.ts';
import { folderOf, readTenants, tenantOf } from './tenants.ts';
import { wantedOf } from './want.ts';
import type { OnDelete, Wanted, WantedGrants } from './wanted.ts';

type Matched = Pick<MatchedRoute<ManifestRoute>, 'parts'> | undefined;

/** All that a manifest comes to, before anything is looked at or done. */
export interface Prepared {
  /** What it names; nothing of one that is gone. */
  readonly items: readonly Item[];
  /** What is to be taken back. */
  readonly revocations: readonly Item<WantedGrants>[];
  /** What former generations said. */
  readonly former: readonly Manifest[];
  readonly tenants: Tenants;
  /** Of its secrets that are there. */
  readonly logins: Logins;
  /** What the policy doesn't allow. */
  readonly refused: readonly Refused[];
}

/**
 * @param manifest undefined where its object is gone
 * @param before texts of former generations
 * @param grantedBy its own operations: what others granted isn't its to take back
 */
export async function prepare(
  manifest: Manifest | undefined,
  before: readonly ManifestText[],
  onDelete: OnDelete,
  matched: Matched,
  operation: Pick<OperationContext, 'registry'>,
  readFormer: FormerReader,
  grantedBy?: readonly string[],
): Promise<Prepared> {
  const former = before.flatMap((one) => readFormer(one) ?? []);
  const all = [...(manifest ? [manifest] : []), ...former];
  const tenants = await readTenants(all, tenantOf(matched), operation);
  const logins: Logins = manifest ? await readLogins(manifest, operation) : new Map();
  const items = manifest ? itemsOf(manifest, tenants, logins) : [];
  const folder = folderOf(matched, tenants);
  // What a tenant had goes with it.
  const isGone = folder !== undefined && !isActive(folder);
  const own = grantedBy && new Set(grantedBy);
  const revocations = isGone ? [] : revocationItems(former, manifest, onDelete, tenants, own);
  const rules = config().DROVER_POLICY.rules;
  const groups = Map.groupBy([...items, ...revocations], ({ where }) => where);
  const refused = [...groups].flatMap(([where, group]) =>
    refusedItems(
      group.map(({ wanted }) => wanted),
      where,
      folder,
      rules,
    ),
  );
  return { items, revocations, former, tenants, logins, refused };
}

/** The same, where all of it has to be allowed. @throws OperationError `NOT_ALLOWED`, `TENANT_NOT_ACTIVE` */
export async function prepareAllowed(...given: Parameters<typeof prepare>): Promise<Prepared> {
  const prepared = await prepare(...given);
  const error = notAllowed(prepared.refused);
  if (error) throw error;
  return prepared;
}

/** Undefined where the text says nothing that can be understood. */
export type FormerReader = (former: Pick<ManifestText, 'generation' | 'text'>) => Manifest | undefined;

/**
 * Reads texts of former generations, each once: most often it is the same text again. What an older version of Drover read may be none
 * for this one: then nothing is known of it.
 *
 * @param known texts that were read
 */
export function formerReader(
  { log }: Pick<OperationContext, 'log'>,
  known: Iterable<readonly [text: string, manifest: Manifest]> = [],
): FormerReader {
  const read = new Map<string, Manifest | undefined>(known);
  return ({ generation, text }) => {
    if (!read.has(text)) {
      try {
        read.set(text, readManifest(text));
      } catch (error) {
        const problem = classify(error).message;
        log.log('WARNING', 'former manifest not understood', { generation, problem });
        read.set(text, undefined);
      }
    }
    return read.get(text);
  };
}

/** What was wanted last, where all of that was done; of a generation that is run again, its own. */
export function formerWishes(
  known: ManifestRecord | undefined,
  generation: string | undefined,
  before: readonly ManifestText[],
  readFormer: FormerReader,
): Wanted[] {
  const isOwn = known !== undefined && known.generation === generation && known.state === 'applied';
  const [last, ...others] = before;
  const isWhole = last?.applied && others.length === 0;
  const text = isOwn ? known.text : isWhole ? last.text : undefined;
  const former = text ? readFormer({ generation: generation ?? '', text }) : undefined;
  return former ? wantedOf(former) : [];
}
