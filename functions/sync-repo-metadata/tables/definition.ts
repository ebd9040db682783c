import { identifier, qualified, Sql, sql } from '../../../shared/postgres/sql.ts';

/** The tables of a schema that repositories are synced to. */
export const tables = ['repositories', 'syncs', 'documents'] as const;

export type Table = (typeof tables)[number];

/** On the comment of each, so that one that somebody else made is never taken for ours. */
export const tableMarker = (table: Table) => JSON.stringify({ managedBy: 'drover', table, version: 1 });

/**
 * The statements that make the tables. Keys and paths are compared byte by byte: `A` and `a` are two, on every server.
 *
 * A catalog is `json`, which keeps the order of its fields: views have their columns in it.
 */
export function createTables(schema: string): Sql[] {
  const repositories = qualified(schema, 'repositories');
  const syncs = qualified(schema, 'syncs');
  const documents = qualified(schema, 'documents');
  return [
    sql`
CREATE TABLE ${repositories} (
  repository    text COLLATE "C" PRIMARY KEY,
  source        text NOT NULL,
  ref           text,
  commit        text,
  committed_at  timestamptz,
  number        bigint NOT NULL,
  origin        jsonb NOT NULL,
  catalog       json NOT NULL,
  catalog_files jsonb NOT NULL,
  synced_at     timestamptz NOT NULL
)`,
    sql`
CREATE TABLE ${syncs} (
  repository  text COLLATE "C" NOT NULL,
  number      bigint NOT NULL,
  operation   text NOT NULL,
  state       text NOT NULL,
  source      text NOT NULL,
  commit      text,
  committed_at timestamptz,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  duration_ms bigint NOT NULL,
  documents   bigint NOT NULL,
  added       bigint NOT NULL,
  updated     bigint NOT NULL,
  deleted     bigint NOT NULL,
  unchanged   bigint NOT NULL,
  problems    bigint NOT NULL,
  problem     jsonb NOT NULL,
  PRIMARY KEY (repository, number),
  UNIQUE (repository, operation)
)`,
    sql`
CREATE TABLE ${documents} (
  repository     text COLLATE "C" NOT NULL,
  collection     text COLLATE "C" NOT NULL,
  key            text COLLATE "C" NOT NULL,
  path           text COLLATE "C" NOT NULL,
  parts          jsonb NOT NULL,
  blob           text NOT NULL,
  definition     text NOT NULL,
  title          text,
  metadata       jsonb NOT NULL,
  text           text,
  refs           jsonb NOT NULL,
  search         tsvector NOT NULL,
  created_commit text,
  created_at     timestamptz NOT NULL,
  updated_commit text,
  updated_at     timestamptz NOT NULL,
  PRIMARY KEY (repository, collection, key)
)`,
    sql`CREATE INDEX documents_search ON ${documents} USING gin (search)`,
    sql`CREATE INDEX documents_metadata ON ${documents} USING gin (metadata jsonb_path_ops)`,
    sql`CREATE INDEX documents_refs ON ${documents} USING gin (refs jsonb_path_ops)`,
    ...tables.map((table) => sql`COMMENT ON TABLE ${qualified(schema, table)} IS ${tableMarker(table)}`),
  ];
}

/**
 * Where changed documents wait to be written all at once: a table of the session's, so that nothing is left of a run that
 * ends early. What full text search finds is computed here, while the archive is still being read.
 *
 * Of a text that is longer, its beginning is searched: a tsvector has room for a mebibyte. What has no blank for long is cut
 * up, for PostgreSQL takes time with the square of a word that is many words, such as `a_a_a_…`.
 */
export function createStaging(languages: readonly string[], owner: string): Sql[] {
  const words = (text: Sql) => sql`pg_catalog.regexp_replace(${text}, '(\\S{250})(?=\\S)', '\\1 ', 'g')`;
  const weighed = (language: string, text: Sql, weight: string) =>
    sql`pg_catalog.setweight(pg_catalog.to_tsvector(${`pg_catalog.${language}`}::regconfig, ${words(text)}), ${weight})`;
  const vector = (language: string) => sql`
    ${weighed(language, sql`coalesce(title, '')`, 'A')} ||
    ${weighed(language, sql`pg_catalog.left(coalesce(text, ''), 100000)`, 'B')} ||
    ${weighed(language, sql`words`, 'C')}`;
  const [first = 'simple', ...others] = languages;
  const cases = others.map((language) => sql` WHEN ${language} THEN ${vector(language)}`);
  const search = sql`CASE language${Sql.of(cases.map(({ text }) => text).join(''))} ELSE ${vector(first)} END`;
  return [
    sql`DROP TABLE IF EXISTS pg_temp.staged`,
    sql`
CREATE TEMPORARY TABLE staged (
  collection text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  path       text COLLATE "C" NOT NULL,
  parts      jsonb NOT NULL,
  blob       text NOT NULL,
  definition text NOT NULL,
  language   text NOT NULL,
  title      text,
  metadata   jsonb NOT NULL,
  text       text,
  words      text NOT NULL,
  refs       jsonb NOT NULL,
  search     tsvector NOT NULL GENERATED ALWAYS AS (${cases.length === 0 ? vector(first) : search}) STORED
)`,
    sql`GRANT SELECT, DELETE ON pg_temp.staged TO ${identifier(owner)}`,
  ];
}
