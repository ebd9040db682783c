import type pg from 'pg';
import { config } from '../../shared/config.ts';
import { canonicalJson } from '../../shared/operation/canonical.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import { withCopySession } from '../../shared/postgres/copy-session.ts';
import { withOwnerLogin } from '../../shared/postgres/logins/owner-login.ts';
import { roleName } from '../../shared/postgres/names.ts';
import { type ResolvedCatalog, readyCollections } from './catalog/collections.ts';
import { type FoundCatalog, findCatalog } from './catalog/find.ts';
import { catalogPath, catalogSchema, defaultCatalog } from './catalog/model.ts';
import { refuseLoss } from './loss.ts';
import { CatalogChanged, type Scanned, type ScanOptions, scan } from './scan.ts';
import type { Choice, Source } from './source/choose.ts';
import { RootMismatch } from './source/root.ts';
import { Staging } from './tables/staging.ts';
import type { PastSync, StoredRepository } from './tables/state.ts';
import {
  look,
  nothingPresent,
  type Present,
  type Wanted,
  type Writing,
  write,
} from './tables/transactions.ts';
import { planViews, viewOf } from './tables/views.ts';

/** What a run came to. */
export type Synced =
  /** Something newer is there. */
  | { readonly kind: 'superseded'; readonly why: string }
  /** This operation did it before. */
  | { readonly kind: 'done'; readonly run: PastSync; readonly collections: Documents }
  | {
      readonly kind: 'written';
      readonly run: PastSync;
      readonly collections: Documents;
      readonly writing: Writing;
    }
  /** In a dry run. */
  | { readonly kind: 'planned'; readonly writing: Writing };

/** How many there are, by collection. */
type Documents = Readonly<Record<string, number>>;

/** Somebody else may sync the same repository at the same time, and be done first: so often it is begun anew. */
const mostRounds = 3;

/** The catalog may turn out to be another one, and the archive to have another root. */
const mostScans = 4;

/**
 * Makes the tables say what the repository says:
 *
 *     1 look      what the tables say now, and whether this operation has done it already
 *     2 decide    which commit is wanted, and whether it comes after what is there
 *     3 scan      read the archive, and stage what is new or not as it was
 *     4 refuse    where too much would be gone
 *     5 write     all of it in one transaction, if the tables still say what they said in 1; else again from 1
 *
 * The session is a login's that is a member of the schema's owner and of nothing else: whoever owns the schema may have put
 * code of their own beside the tables.
 *
 * @param exists whether there is such a schema; in a dry run there may be none
 */
export async function syncRepository(
  wanted: Wanted,
  operation: OperationContext,
  source: Source,
  exists: boolean,
): Promise<Synced> {
  const { pools, signal, log } = operation;
  const { target, schema } = wanted;
  if (!exists) return orOvertaken(await round(wanted, operation, source, nothingPresent, undefined));
  const owned = { target, schemas: [schema], purpose: 'sync', stages: true } as const;
  return withOwnerLogin(pools, owned, operation, (login) =>
    withCopySession(pools, target, { signal, as: login }, async (client) => {
      for (let count = 1; count < mostRounds; count += 1) {
        const synced = await round(wanted, operation, source, await look(client, wanted, operation), client);
        if (synced !== 'overtaken') return synced;
        log.log('INFO', 'somebody else synced the same repository meanwhile', { round: count });
      }
      return orOvertaken(
        await round(wanted, operation, source, await look(client, wanted, operation), client),
      );
    }),
  );
}

function orOvertaken(synced: Synced | 'overtaken'): Synced {
  if (synced !== 'overtaken') return synced;
  throw new OperationError('SYNC_OVERTAKEN', 'Others sync the same repository all the time', {
    retryable: true,
  });
}

/** Steps 2 to 5, once. */
async function round(
  wanted: Wanted,
  operation: OperationContext,
  source: Source,
  present: Present,
  client: pg.ClientBase | undefined,
): Promise<Synced | 'overtaken'> {
  const startedAt = new Date();
  if (present.past) return { kind: 'done', run: present.past, collections: present.collections };
  const choice = await source(present.stored);
  const { decision, snapshot, origin } = choice;
  if (decision.kind === 'wait')
    throw new OperationError('COMMIT_NOT_ON_REF', decision.why, { retryable: true });
  if (decision.kind === 'superseded') return { kind: 'superseded', why: decision.why };
  const { found, views, scanned } = await scanAsConfigured(wanted, operation, present, choice, client);
  const { stored } = present;
  const writing: Writing = {
    present,
    views,
    scanned,
    commit: snapshot.commit ?? (scanned ? scanned.commit : stored?.commit),
    committedAt: snapshot.committedAt ?? (scanned ? undefined : stored?.committedAt),
    rewritten: decision.kind === 'sync' && decision.rewritten,
    origin,
    found,
    startedAt,
  };
  if (operation.dryRun || client === undefined) return { kind: 'planned', writing };
  const written = await write(client, wanted, operation, writing);
  return written ? { kind: 'written', ...written, writing } : 'overtaken';
}

/** Steps 3 and 4, by the catalog that the repository turns out to have. */
async function scanAsConfigured(
  wanted: Wanted,
  operation: OperationContext,
  present: Present,
  choice: Choice,
  client: pg.ClientBase | undefined,
): Promise<Pick<Writing, 'found' | 'views' | 'scanned'>> {
  const { schema, repository, rebuild } = wanted;
  const { stored, relations } = present;
  const open = () => choice.snapshot.open(operation.signal);
  let found = lastCatalog(wanted, present);
  for (let attempt = 1; ; attempt += 1) {
    try {
      found ??= await findCatalog(open, wanted.config);
      const collections = readyCollections(found.catalog, found.where);
      const wantedViews = collections.map((collection) => viewOf(schema, repository, collection));
      const views = planViews(schema, repository, wantedViews, relations);
      const isConfigured =
        views.make.length + views.drop.length === 0 &&
        canonicalJson(found.catalog) === canonicalJson(stored?.catalog);
      if (choice.decision.kind === 'same' && isConfigured && !rebuild)
        return { found, views, scanned: undefined };
      const options = { collections, known: present.known, catalogFiles: found.files, rebuild };
      const scanned = await scanInto(client, wanted, operation, choice, options);
      refuseLoss(scanned.files, scanned.changes, maxLossOf(wanted, found, stored), wanted.allowDeletes);
      return { found, views, scanned };
    } catch (error) {
      // The snapshot remembers that an archive has no root.
      const isNews = error instanceof CatalogChanged || error instanceof RootMismatch;
      if (!isNews || attempt === mostScans) throw error;
      if (error instanceof CatalogChanged) found = undefined;
    }
  }
}

/** A push that deletes much can't be the one that allows it. */
function maxLossOf(
  { config: given }: Wanted,
  { catalog: { maxLoss } }: FoundCatalog,
  stored: StoredRepository | undefined,
): number {
  return given === undefined && stored ? Math.min(maxLoss, Number(stored.catalog.maxLoss)) : maxLoss;
}

/** What the repository's own catalog was the last time: the scan finds out whether it still is. */
function lastCatalog({ config: given }: Wanted, { stored }: Present): FoundCatalog | undefined {
  if (given !== undefined || stored === undefined) return undefined;
  const files = stored.catalogFiles;
  const blob = Object.hasOwn(files, catalogPath) ? files[catalogPath] : undefined;
  if (blob === undefined) return undefined;
  if (blob === null) return { catalog: defaultCatalog as ResolvedCatalog, files, where: undefined };
  // Whoever may write to the tables may have.
  const { data } = catalogSchema.safeParse(stored.catalog);
  return data && { catalog: data as ResolvedCatalog, files, where: catalogPath };
}

async function scanInto(
  client: pg.ClientBase | undefined,
  { target, schema, commit }: Wanted,
  { dryRun, signal }: OperationContext,
  { snapshot }: Choice,
  options: Pick<ScanOptions, 'collections' | 'known' | 'catalogFiles' | 'rebuild'>,
): Promise<Scanned> {
  const owner = roleName(target.database, schema, 'owner');
  const staging = dryRun || client === undefined ? undefined : new Staging(client, owner);
  await staging?.begin([...new Set(options.collections.map(({ language }) => language))]);
  const scanned = await scan(await snapshot.open(signal), {
    ...options,
    documentBytes: config().DROVER_DOCUMENT_BYTES,
    stage: async (document) => staging?.add(document),
  });
  await staging?.end();
  // GitHub has been asked what the message means; it may name a tag's own object.
  const expected = snapshot.commit ?? commit;
  if (expected !== undefined && scanned.commit !== undefined && scanned.commit !== expected) {
    throw new OperationError(
      'COMMIT_MISMATCH',
      `The archive is of commit ${scanned.commit}, and the message says ${commit}: correct the message, or upload the archive of that commit`,
      { details: { archive: scanned.commit, message: commit } },
    );
  }
  return scanned;
}
