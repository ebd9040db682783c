import type pg from 'pg';
import type * as z from 'zod';
import type { ObjectPlace } from '../gcp/storage/client.ts';
import { writeObject } from '../gcp/storage/write.ts';
import { OperationError } from '../operation/errors.ts';
import { withCopySession } from '../postgres/copy-session.ts';
import { type OwnerLoginOptions, withOwnerLogin } from '../postgres/logins/owner-login.ts';
import { roleName } from '../postgres/names.ts';
import type { Pools } from '../postgres/pools.ts';
import { qualified, sql } from '../postgres/sql.ts';
import { formatTarget, type Target } from '../postgres/target.ts';
import { archiveAccess } from './access.ts';
import { definitionParts } from './definitions.ts';
import type { DescribedTable } from './describe/describe.ts';
import type { Omission } from './describe/omissions.ts';
import type { OrderedObject } from './describe/order.ts';
import { formatVersion, type Manifest } from './manifest.ts';
import { inArchive, parseArchivePlace } from './place.ts';
import { archiveRows } from './rows.ts';
import { actAs } from './session.ts';
import { beginReading, readSequences } from './source.ts';
import { type WrittenArchive, writeManifest, writtenArchive } from './written.ts';

export interface ArchiveRequest {
  readonly target: Target;
  /** Managed schemas of the database: one, or all of a tenant's. */
  readonly schemas: readonly string[];
  /** `gs://bucket/prefix/`, of this archive alone. */
  readonly destination: string;
  /** Kept in the manifest as it is: whose archive it is, and why. */
  readonly description: z.core.util.JSONType;
}

export interface ArchiveOptions extends OwnerLoginOptions {
  /** Archive the rest where something can't be described. */
  readonly allowIncomplete?: boolean;
  readonly now?: () => Date;
}

export interface Archived extends WrittenArchive {
  /** Tables whose rows an earlier attempt had written. */
  readonly resumed: number;
}

/**
 * Writes schemas to Cloud Storage: what makes them anew, their rows, who may do what with them; and last the manifest,
 * without which an archive is none. Called again after a crash it goes on: rows that are there are not written again. So
 * nobody may write to the schemas from the first call to the last.
 *
 * Runs as the owners of the schemas, in one transaction that sees one state of the database and changes nothing. An
 * archive that is there already is left as it is.
 *
 * @throws OperationError `ARCHIVE_INCOMPLETE` with everything that can't be described; `ARCHIVE_DESTINATION_TAKEN` where
 *   another archive is; `SCHEMA_NOT_FOUND`, `SCHEMA_NOT_MANAGED`; what Cloud Storage refuses
 */
export async function archiveSchemas(
  pools: Pools,
  { target, schemas: named, destination, description }: ArchiveRequest,
  options: ArchiveOptions,
): Promise<Archived> {
  const { signal, remainingMs, allowIncomplete = false, now = () => new Date() } = options;
  const schemas = [...new Set(named)].sort();
  const place = parseArchivePlace(destination);
  const existing = await writtenArchive(place, target, schemas, signal);
  if (existing) return { ...existing, resumed: 0 };

  const reading = async (client: pg.ClientBase) => {
    const { server, levels, comments, ...found } = await beginReading(client, target, schemas, remainingMs());
    const { objects, tables, sequences, extensions } = found.description;
    const { omissions, ...access } = archiveAccess(
      found.description.access,
      found.description.policies,
      objects,
      levels,
    );
    const omitted = [...found.description.omissions, ...omissions];
    if (!allowIncomplete) refuseIncomplete(target, omitted);
    await onlyRead(client, target, tables);
    const { resumed, ...rows } = await archiveRows(client, target, tables, place, signal);
    const values = await readSequences(client, target, sequences);
    await client.query('ROLLBACK');
    const levelsIn = (name: string) =>
      [...levels.values()].flatMap(({ schema, level }) => (schema === name ? [level] : [])).sort();
    return {
      objects,
      resumed,
      content: {
        source: { ...target, ...server },
        schemas: schemas.map((name) => ({
          name,
          comment: comments.get(name) ?? null,
          levels: levelsIn(name),
        })),
        extensions: [...extensions],
        ...rows,
        sequences: values,
        ...access,
        omitted,
      },
    };
  };
  const owned = { target, schemas, purpose: 'archive' } as const;
  const read = await withOwnerLogin(pools, owned, options, (login) =>
    withCopySession(pools, target, { signal, as: login }, reading),
  );

  const definitions = await writeDefinitions(place, read.objects, signal);
  const createdAt = now().toISOString();
  const manifest: Manifest = {
    format: 'drover-archive',
    formatVersion,
    createdAt,
    description,
    definitions,
    ...read.content,
  };
  return { ...(await writeManifest(place, manifest, signal)), resumed: read.resumed };
}

async function writeDefinitions(
  place: ObjectPlace,
  objects: readonly OrderedObject[],
  signal: AbortSignal,
): Promise<Manifest['definitions']> {
  const written: Manifest['definitions'] = [];
  for (const { text, ...part } of definitionParts(objects)) {
    const at = inArchive(place, part.object);
    const { bytes, crc32c } = await writeObject(at, text, { signal, contentType: 'application/sql' });
    written.push({ ...part, bytes, crc32c });
  }
  return written;
}

function refuseIncomplete(target: Target, omitted: readonly Omission[]): void {
  const missing = omitted.filter(({ minor }) => !minor);
  if (missing.length === 0) return;
  const listed = missing.map(({ object, reason }) => `${object} (${reason})`);
  throw new OperationError(
    'ARCHIVE_INCOMPLETE',
    `An archive of ${formatTarget(target)} would not have everything: ${listed.join('; ')}. Nothing was archived.`,
    { details: { objects: missing } },
  );
}

/**
 * From here on the transaction only reads. Before that it lifts, for itself, row level security that holds for owners, too:
 * they could not read all rows. Nothing of it is committed.
 */
async function onlyRead(
  client: pg.ClientBase,
  target: Target,
  tables: readonly DescribedTable[],
): Promise<void> {
  for (const { schema, table } of tables.filter(({ forced }) => forced)) {
    await actAs(client, roleName(target.database, schema, 'owner'));
    await client.query(sql`ALTER TABLE ${qualified(schema, table)} NO FORCE ROW LEVEL SECURITY`.text);
  }
  await client.query('SET TRANSACTION READ ONLY');
}
