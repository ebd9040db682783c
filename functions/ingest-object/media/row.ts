import type pg from 'pg';
import * as z from 'zod';
import { findObject, type StoredObject } from '../../../shared/gcp/storage/objects.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { asOwner } from '../../../shared/postgres/logins/owner-transaction.ts';
import { qualified, type Sql, sql } from '../../../shared/postgres/sql.ts';
import { isServerError } from '../../../shared/postgres/sqlstate.ts';
import type { ImageFacts, StoredPreview } from './model.ts';
import { patience } from './patience.ts';
import { objectOf } from './store.ts';
import type { Media } from './target.ts';

const preview = z.object({
  object: z.string(),
  contentType: z.string(),
  width: z.int(),
  height: z.int(),
  bytes: z.int(),
}) satisfies z.ZodType<StoredPreview>;

const row = z.object({
  generation: z.string().regex(/^[1-9][0-9]{0,18}$/),
  recipe: z.string(),
  previews: z.array(preview),
});

/** What a row says, as far as it decides what is to be done. */
export type Row = Readonly<z.infer<typeof row>>;

/** What there is of an object in the table. */
export interface FoundRow {
  readonly isThere: boolean;
  /** Undefined also where its owner made something else of it than Drover writes: it says nothing then. */
  readonly row: Row | undefined;
}

/** Reads an object's row, if there is one. */
export async function readRow(
  client: pg.ClientBase,
  media: Media,
  operation: OperationContext,
): Promise<FoundRow> {
  const scope = { ...scopeOf(media, operation), lock: [] };
  return asOwner(client, scope, selectRow(media), async ({ rows }) => foundIn(rows));
}

/** What an attempt to write came to: another generation may be live by now, or none. */
export interface Written {
  readonly isWritten: boolean;
  readonly former: FoundRow;
}

/**
 * Writes the row of an object's live generation. Whether it is live is asked under the object's lock, so the row of the newest
 * comes last, in whichever order their events do; by its number alone, which need not rise, that can't be told.
 *
 * @throws OperationError `DATABASE_ERROR`, permanent, where the table's owner demands something unique that it isn't
 */
export function writeRow(
  client: pg.ClientBase,
  media: Media,
  image: { readonly facts: ImageFacts; readonly previews: readonly StoredPreview[] },
  operation: OperationContext,
): Promise<Written> {
  const writing = asOwner(client, scopeOf(media, operation), selectRow(media), async ({ rows }) => {
    const former = foundIn(rows);
    const live = await findObject(objectOf(media), operation.signal);
    if (live?.generation !== media.generation) return { isWritten: false, former };
    await client.query(upsert(media), valuesOf(media, live, image));
    return { isWritten: true, former };
  });
  return writing.catch((error: unknown) => {
    throw isServerError(error) && error.code === '23505' ? notUnique(error) : error;
  });
}

/** Elsewhere another session did the same at the same moment. Here it can't have: whoever writes the row of an object has its lock. */
function notUnique(cause: Error & { readonly code: string; readonly detail?: string }): OperationError {
  return new OperationError('DATABASE_ERROR', `PostgreSQL refused: ${cause.message}`, {
    details: { sqlstate: cause.code, ...(cause.detail !== undefined && { detail: cause.detail }) },
    cause,
  });
}

/** What was found of an object under its lock, and whether its row was deleted, or in a dry run would be. */
export interface Withdrawn {
  readonly live: StoredObject | undefined;
  readonly row: Row | undefined;
  readonly isDeleted: boolean;
}

/** Deletes an object's row, if it has one that the live generation says must go. */
export function withdrawRow(
  client: pg.ClientBase,
  media: Media,
  mustGo: (row: Row | undefined, live: StoredObject | undefined) => boolean,
  operation: OperationContext,
): Promise<Withdrawn> {
  return asOwner(client, scopeOf(media, operation), selectRow(media), async ({ rows }) => {
    const { isThere, row } = foundIn(rows);
    const live = await findObject(objectOf(media), operation.signal);
    const isDeleted = isThere && mustGo(row, live);
    if (isDeleted && !operation.dryRun) {
      const { bucket, object } = media;
      const table = tableOf(media).text;
      await client.query(`DELETE FROM ${table} WHERE bucket = $1 AND object = $2`, [bucket, object]);
    }
    return { live, row, isDeleted };
  });
}

/** One transaction at a time about an object, of statements that take no longer than {@link patience} says. */
function scopeOf(
  { place: { target, schema, table }, bucket, object }: Media,
  { remainingMs, assertHeld }: OperationContext,
) {
  const lock = JSON.stringify(['media', schema, table, bucket, object]);
  const operation = { remainingMs: () => Math.min(remainingMs(), patience.statementMs), assertHeld };
  return { database: target.database, schema, lock, operation };
}

function tableOf({ place: { schema, table } }: Media): Sql {
  return qualified(schema, table);
}

/** Sixty previews with names of a thousand characters have less. */
const mostBytes = 200_000;

/** Its owner may have put anything into the table, of whatever length: more than Drover itself writes isn't fetched. */
function selectRow(media: Media): Sql {
  return sql`
SELECT pg_catalog.left(generation::text, 20) AS generation,
       pg_catalog.left(recipe::text, 20) AS recipe,
       CASE WHEN pg_catalog.pg_column_size(previews) <= ${mostBytes} THEN
         CASE WHEN pg_catalog.octet_length(previews::text) <= ${mostBytes} THEN previews::text END
       END AS previews
  FROM ${tableOf(media)}
 WHERE bucket = ${media.bucket} AND object = ${media.object}
 LIMIT 1`;
}

function foundIn(rows: readonly unknown[]): FoundRow {
  const [found] = rows as readonly { readonly previews: string | null }[];
  if (found === undefined) return { isThere: false, row: undefined };
  return { isThere: true, row: row.safeParse({ ...found, previews: parsed(found.previews) }).data };
}

function parsed(json: string | null): unknown {
  try {
    return JSON.parse(json ?? 'null');
  } catch {
    return undefined;
  }
}

/** In the order of {@link valuesOf}, with their types. */
const columns = [
  ['bucket', 'text'],
  ['object', 'text'],
  ['user_id', 'text'],
  ['generation', 'bigint'],
  ['type', 'text'],
  ['bytes', 'bigint'],
  ['width', 'integer'],
  ['height', 'integer'],
  ['frames', 'integer'],
  ['captured_local', 'timestamp'],
  ['captured_offset_minutes', 'integer'],
  ['camera_make', 'text'],
  ['camera_model', 'text'],
  ['lens', 'text'],
  ['latitude', 'double precision'],
  ['longitude', 'double precision'],
  ['altitude', 'double precision'],
  ['placeholder', 'bytea'],
  ['crc32c', 'text'],
  ['content_type', 'text'],
  ['metadata', 'jsonb'],
  ['uploaded_at', 'timestamptz'],
  ['previews', 'jsonb'],
  ['recipe', 'text'],
] as const;

/** A row keeps its id, and since when there is one, through all generations. */
function upsert(media: Media): string {
  const names = columns.map(([name]) => name);
  const values = columns.map(([, type], index) => `$${index + 1}::${type}`);
  const changes = names.slice(2).map((name) => `${name} = excluded.${name}`);
  return `
INSERT INTO ${tableOf(media).text} (${names.join(', ')}) VALUES (${values.join(', ')})
ON CONFLICT (bucket, object) DO UPDATE SET ${changes.join(', ')}, updated_at = pg_catalog.now()`;
}

function valuesOf(
  { bucket, object, user, generation, recipe }: Media,
  live: StoredObject,
  { facts, previews }: { readonly facts: ImageFacts; readonly previews: readonly StoredPreview[] },
): unknown[] {
  const { captured, camera, location } = facts;
  const noted = Object.entries(live.metadata).filter(([key]) => !key.startsWith('drover-'));
  return [
    bucket,
    object,
    user,
    generation,
    facts.type,
    live.bytes,
    facts.width,
    facts.height,
    facts.frames,
    captured?.local ?? null,
    captured?.offsetMinutes ?? null,
    clean(camera.make),
    clean(camera.model),
    clean(camera.lens),
    location?.latitude ?? null,
    location?.longitude ?? null,
    location?.altitude ?? null,
    facts.placeholder,
    live.crc32c,
    clean(live.contentType),
    JSON.stringify(Object.fromEntries(noted.map((pair) => pair.map(clean)))),
    live.createdAt.toISOString(),
    JSON.stringify(previews),
    recipe,
  ];
}

/** What strangers wrote, as PostgreSQL can hold it. */
function clean(text: string | undefined): string | null {
  return text?.replaceAll('\0', '').toWellFormed() ?? null;
}
