import type pg from 'pg';
import { findObject, type StoredObject } from '../../../shared/gcp/storage/objects.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { asOwner } from '../../../shared/postgres/logins/owner-transaction.ts';
import { qualified, type Sql, sql } from '../../../shared/postgres/sql.ts';
import type { ImageFacts, StoredPreview } from './model.ts';
import { objectOf } from './store.ts';
import type { Media } from './target.ts';

/** What a row says, as far as it decides what is to be done. */
export interface Row {
  readonly generation: string;
  readonly recipe: string;
  readonly previews: readonly StoredPreview[];
}

/** Reads an object's row, if there is one. */
export async function readRow(
  client: pg.ClientBase,
  media: Media,
  operation: OperationContext,
): Promise<Row | undefined> {
  return asOwner(client, { ...scopeOf(media, operation), lock: [] }, selectRow(media), async ({ rows }) =>
    rowIn(rows),
  );
}

/** What an attempt to write came to: another generation may be live by now, or none. */
export interface Written {
  readonly isWritten: boolean;
  readonly former: Row | undefined;
}

/**
 * Writes the row of an object's live generation. Whether it is live is asked under the object's lock, so the row of the newest
 * comes last, in whichever order their events do; by its number alone, which need not rise, that can't be told.
 */
export function writeRow(
  client: pg.ClientBase,
  media: Media,
  image: { readonly facts: ImageFacts; readonly previews: readonly StoredPreview[] },
  operation: OperationContext,
): Promise<Written> {
  return asOwner(client, scopeOf(media, operation), selectRow(media), async ({ rows }) => {
    const former = rowIn(rows);
    const live = await findObject(objectOf(media), operation.signal);
    if (live?.generation !== media.generation) return { isWritten: false, former };
    await client.query(upsert(media), valuesOf(media, live, image));
    return { isWritten: true, former };
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
  mustGo: (row: Row, live: StoredObject | undefined) => boolean,
  operation: OperationContext,
): Promise<Withdrawn> {
  return asOwner(client, scopeOf(media, operation), selectRow(media), async ({ rows }) => {
    const row = rowIn(rows);
    const live = await findObject(objectOf(media), operation.signal);
    const isDeleted = row !== undefined && mustGo(row, live);
    if (isDeleted && !operation.dryRun) {
      const { bucket, object } = media;
      const table = tableOf(media).text;
      await client.query(`DELETE FROM ${table} WHERE bucket = $1 AND object = $2`, [bucket, object]);
    }
    return { live, row, isDeleted };
  });
}

/** One transaction at a time about an object. */
function scopeOf({ place: { target, schema, table }, bucket, object }: Media, operation: OperationContext) {
  const lock = JSON.stringify(['media', schema, table, bucket, object]);
  return { database: target.database, schema, lock, operation };
}

function tableOf({ place: { schema, table } }: Media): Sql {
  return qualified(schema, table);
}

function selectRow(media: Media): Sql {
  return sql`
SELECT generation::text, recipe, previews FROM ${tableOf(media)}
 WHERE bucket = ${media.bucket} AND object = ${media.object}`;
}

function rowIn(rows: readonly unknown[]): Row | undefined {
  return rows[0] as Row | undefined;
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
