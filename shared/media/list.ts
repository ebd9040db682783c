import type pg from 'pg';
import * as z from 'zod';
import { OperationError } from '../operation/errors.ts';
import { identifier, qualified, type Sql, sql } from '../postgres/sql.ts';
import { isServerError } from '../postgres/sqlstate.ts';
import type { MediaOwner } from './folders.ts';

export interface MediaListing extends Pick<MediaOwner, 'user'> {
  readonly schema: string;
  readonly table: string;
  /** How many at most, 1 to 200. */
  readonly limit?: number;
  /** Of the page before. */
  readonly cursor?: string | undefined;
}

export interface MediaPage {
  readonly items: readonly MediaItem[];
  /** Of the next page; undefined where this is the last. */
  readonly cursor: string | undefined;
}

export interface MediaPreview {
  readonly object: string;
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
}

/** An image, as its row has it. */
export interface MediaItem {
  readonly id: string;
  /** Undefined is everybody's. */
  readonly user: string | undefined;
  readonly bucket: string;
  readonly object: string;
  readonly generation: string;
  /** By its content: `image/jpeg`. */
  readonly type: string;
  readonly bytes: number;
  /** As it is to be looked at. */
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  /** By the camera's clock: `2026-03-29T02:30:00.000`. */
  readonly capturedLocal: string | undefined;
  /** Minutes east of UTC. */
  readonly capturedOffset: number | undefined;
  /** Known where the camera knew its offset. */
  readonly capturedAt: Date | undefined;
  readonly camera: {
    readonly make: string | undefined;
    readonly model: string | undefined;
    readonly lens: string | undefined;
  };
  /** In degrees and metres, WGS 84. */
  readonly location:
    | { readonly latitude: number; readonly longitude: number; readonly altitude: number | undefined }
    | undefined;
  /** A ThumbHash. */
  readonly placeholder: Buffer;
  readonly crc32c: string;
  /** As whoever uploaded it said, which may be wrong. */
  readonly contentType: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly uploadedAt: Date;
  readonly previews: readonly MediaPreview[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const standardLimit = 50;
const mostLimit = 200;

/**
 * A user's images, newest first: by when they were taken, as far as that is known, and else by when they were uploaded. A page goes on
 * where the one before ended, whatever was added meanwhile.
 *
 * Row-level security is told whose images are asked for; the query asks for no others itself, for it isn't there for the owner.
 *
 * @param client isn't in a transaction: this is one of its own
 * @throws OperationError `INVALID_CURSOR`, `INVALID_LIMIT`; what PostgreSQL throws
 */
export async function listMedia(
  client: Pick<pg.ClientBase, 'query'>,
  { schema, table, user, limit = standardLimit, cursor }: MediaListing,
): Promise<MediaPage> {
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= mostLimit))
    throw new OperationError('INVALID_LIMIT', `A page has 1 to ${mostLimit} images, and not ${limit}`);
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  // The policy has PostgreSQL expect next to no rows: it would rather sort all of a user's than read the index in its order.
  const statements = sql`
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SELECT pg_catalog.set_config('drover.user', ${user ?? ''}, true), pg_catalog.set_config('enable_bitmapscan', 'off', true);
${select(qualified(schema, table), user, after, limit + 1)};
COMMIT`;
  try {
    // Several statements in one query give several results, which the types of node-postgres don't know.
    const results = (await client.query(statements.text)) as unknown as pg.QueryResult<{ item: Row }>[];
    const rows = results[2]?.rows.map(({ item }) => item) ?? [];
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return { items: page.map(itemOf), cursor: last && formatCursor({ at: last.sortedAt, id: last.id }) };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw after && isOutOfRange(error) ? invalidCursor() : error;
  }
}

/** Where a page ended: microseconds since the epoch, which a date hasn't, and the row's id, for several may have the same. */
interface Position {
  readonly at: string;
  readonly id: string;
}

const position = z.strictObject({ at: z.string().regex(/^-?\d{1,18}$/), id: z.uuid() });

function formatCursor(at: Position): string {
  return Buffer.from(JSON.stringify(at)).toString('base64url');
}

function parseCursor(cursor: string): Position {
  try {
    return position.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
  } catch {
    throw invalidCursor();
  }
}

function invalidCursor(): OperationError {
  return new OperationError(
    'INVALID_CURSOR',
    'This is no cursor of a page of images: begin without one, and go on with those that pages have',
  );
}

/** What PostgreSQL says to a time that it has no room for. */
function isOutOfRange(error: unknown): boolean {
  return isServerError(error) && error.code === '22008';
}

function select(table: Sql, user: string | undefined, after: Position | undefined, limit: number): Sql {
  const whose = user === undefined ? sql`user_id IS NULL` : sql`user_id = ${user}`;
  const older = after
    ? sql`AND (sorted_at, id) < (
         pg_catalog.to_timestamp(0) + ${`${after.at} microseconds`}::interval, ${after.id}::pg_catalog.uuid)`
    : sql``;
  return sql`
SELECT pg_catalog.jsonb_build_object(
         'id', id, 'user', user_id, 'bucket', bucket, 'object', object, 'generation', generation::text,
         'type', type, 'bytes', bytes, 'width', width, 'height', height, 'frames', frames,
         'capturedLocal', pg_catalog.to_char(captured_local, 'YYYY-MM-DD"T"HH24:MI:SS.MS'),
         'capturedOffset', captured_offset_minutes, 'capturedAt', ${utc('captured_at')},
         'make', camera_make, 'model', camera_model, 'lens', lens,
         'latitude', latitude, 'longitude', longitude, 'altitude', altitude,
         'placeholder', pg_catalog.encode(placeholder, 'base64'), 'crc32c', crc32c,
         'contentType', content_type, 'metadata', metadata, 'previews', previews,
         'uploadedAt', ${utc('uploaded_at')}, 'createdAt', ${utc('created_at')}, 'updatedAt', ${utc('updated_at')},
         'sortedAt', (extract(epoch FROM sorted_at) * 1000000)::bigint::text) AS item
  FROM ${table}
 WHERE ${whose} ${older}
 ORDER BY sorted_at DESC, id DESC
 LIMIT ${limit}`;
}

/** Whatever the session's time zone and style of dates. */
function utc(column: string): Sql {
  return sql`pg_catalog.to_char(${identifier(column)} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** As the query gives it: what is unknown is null, and times are text. */
interface Row {
  readonly id: string;
  readonly user: string | null;
  readonly bucket: string;
  readonly object: string;
  readonly generation: string;
  readonly type: string;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly capturedLocal: string | null;
  readonly capturedOffset: number | null;
  readonly capturedAt: string | null;
  readonly make: string | null;
  readonly model: string | null;
  readonly lens: string | null;
  readonly latitude: number | null;
  readonly longitude: number | null;
  readonly altitude: number | null;
  readonly placeholder: string;
  readonly crc32c: string;
  readonly contentType: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly previews: readonly MediaPreview[];
  readonly uploadedAt: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly sortedAt: string;
}

function itemOf(row: Row): MediaItem {
  const { latitude, longitude, altitude } = row;
  return {
    id: row.id,
    user: row.user ?? undefined,
    bucket: row.bucket,
    object: row.object,
    generation: row.generation,
    type: row.type,
    bytes: row.bytes,
    width: row.width,
    height: row.height,
    frames: row.frames,
    capturedLocal: row.capturedLocal ?? undefined,
    capturedOffset: row.capturedOffset ?? undefined,
    capturedAt: row.capturedAt === null ? undefined : new Date(row.capturedAt),
    camera: { make: row.make ?? undefined, model: row.model ?? undefined, lens: row.lens ?? undefined },
    location:
      latitude === null || longitude === null
        ? undefined
        : { latitude, longitude, altitude: altitude ?? undefined },
    placeholder: Buffer.from(row.placeholder, 'base64'),
    crc32c: row.crc32c,
    contentType: row.contentType ?? undefined,
    metadata: row.metadata,
    uploadedAt: new Date(row.uploadedAt),
    previews: row.previews,
    createdAt: new Date(row.createdAt),
    updatedAt: new Date(row.updatedAt),
  };
}
