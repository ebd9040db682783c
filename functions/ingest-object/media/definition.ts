import { qualified, type Sql, sql } from '../../../shared/postgres/sql.ts';

/** On the table's comment, so that one that somebody else made is never taken for ours. */
export const tableMarker = JSON.stringify({ managedBy: 'drover', table: 'media', version: 1 });

/** What row-level security compares with a row's `user_id`: set it for a session or a transaction. */
export const userSetting = 'drover.user';

/** Such as nobody but the schema's owner, who row-level security isn't for, writes. */
const policy = sql`
  user_id IS NULL OR user_id = pg_catalog.current_setting(${userSetting}, true)`;

/**
 * The statements that make the table. Names are compared byte by byte: `A` and `a` are two, on every server.
 *
 * What can be told from other columns is generated, so that nothing else can be in it: when a photograph was taken is known only
 * where the camera knew its offset; for order, its own clock does, and without one the time of the upload.
 */
export function createTable(schema: string, name: string): Sql[] {
  const table = qualified(schema, name);
  const captured = sql`(captured_local - captured_offset_minutes * interval '1 minute') AT TIME ZONE 'UTC'`;
  return [
    sql`
CREATE TABLE ${table} (
  id              uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid() UNIQUE,
  user_id         text COLLATE "C",
  bucket          text COLLATE "C" NOT NULL,
  object          text COLLATE "C" NOT NULL,
  generation      bigint NOT NULL,
  type            text NOT NULL,
  bytes           bigint NOT NULL,
  width           integer NOT NULL,
  height          integer NOT NULL,
  frames          integer NOT NULL,
  captured_local  timestamp,
  captured_offset_minutes integer,
  captured_at     timestamptz GENERATED ALWAYS AS (${captured}) STORED,
  camera_make     text,
  camera_model    text,
  lens            text,
  latitude        double precision,
  longitude       double precision,
  altitude        double precision,
  placeholder     bytea NOT NULL,
  crc32c          text NOT NULL,
  content_type    text,
  metadata        jsonb NOT NULL,
  uploaded_at     timestamptz NOT NULL,
  previews        jsonb NOT NULL,
  recipe          text NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
  updated_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
  sorted_at       timestamptz NOT NULL GENERATED ALWAYS AS (
                    coalesce(${captured}, captured_local AT TIME ZONE 'UTC', uploaded_at)) STORED,
  PRIMARY KEY (bucket, object)
)`,
    sql`CREATE INDEX ON ${table} (user_id, sorted_at DESC, id DESC)`,
    sql`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`,
    sql`CREATE POLICY drover_user ON ${table} FOR SELECT USING (${policy})`,
    sql`COMMENT ON TABLE ${table} IS ${tableMarker}`,
  ];
}

/** One row where there is a relation of that name: its kind, and what its comment says. */
export function inspectTable(schema: string, name: string): Sql {
  return sql`
SELECT c.relkind AS kind, pg_catalog.obj_description(c.oid, 'pg_class') AS comment
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ${schema} AND c.relname = ${name}`;
}
