import { identifier } from '../../../shared/postgres/sql.ts';

/** Makes at least one object of every kind that an archive has, as the owner of a schema and with names of its roles. */
export function everything(schema: string, role: (level: string) => string): string[] {
  const s = identifier(schema).text;
  const to = (level: string) => identifier(role(level)).text;
  return [
    // Types.
    `CREATE TYPE ${s}.mood AS ENUM ('sad', 'it''s ok', 'back\\slash', 'happy')`,
    `ALTER TYPE ${s}.mood ADD VALUE 'so-so' BEFORE 'happy'`,
    `COMMENT ON TYPE ${s}.mood IS 'how it is; it''s "quoted"'`,
    `CREATE TYPE ${s}.nothing AS ENUM ()`,
    `CREATE TYPE ${s}.address AS (street text COLLATE "C", number int, "odd ""name" numeric(8, 2))`,
    `COMMENT ON COLUMN ${s}.address.street IS 'without the number'`,
    `CREATE FUNCTION ${s}.is_even(int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 % 2 = 0'`,
    `CREATE DOMAIN ${s}.even AS int DEFAULT 2 NOT NULL CONSTRAINT evenness CHECK (${s}.is_even(VALUE)) CHECK (VALUE < 1000000)`,
    `COMMENT ON DOMAIN ${s}.even IS 'two, four'`,
    `COMMENT ON CONSTRAINT evenness ON DOMAIN ${s}.even IS 'by two'`,
    `CREATE DOMAIN ${s}.short AS varchar(20) COLLATE "C"`,
    `ALTER DOMAIN ${s}.short ADD CONSTRAINT not_empty CHECK (VALUE <> '') NOT VALID`,
    `CREATE FUNCTION ${s}.distance(numeric, numeric) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT ($1 - $2)::float8'`,
    `CREATE TYPE ${s}.prices AS RANGE (SUBTYPE = numeric, SUBTYPE_DIFF = ${s}.distance, MULTIRANGE_TYPE_NAME = ${s}.many_prices)`,
    `CREATE TYPE ${s}.words AS RANGE (SUBTYPE = text, COLLATION = "C", SUBTYPE_OPCLASS = text_pattern_ops)`,

    // Sequences, tables and what columns can be.
    `CREATE SEQUENCE ${s}.numbers AS smallint START 5 INCREMENT BY 5 MINVALUE 5 MAXVALUE 500 CACHE 3 CYCLE`,
    `COMMENT ON SEQUENCE ${s}.numbers IS 'by five'`,
    `CREATE SEQUENCE ${s}.untouched`,
    `CREATE TABLE ${s}.customers (
       id         bigint GENERATED ALWAYS AS IDENTITY (START WITH 1000 INCREMENT BY 10) PRIMARY KEY,
       code       serial,
       name       text COLLATE "C" NOT NULL DEFAULT 'no''body',
       mood       ${s}.mood DEFAULT 'happy',
       address    ${s}.address,
       even       ${s}.even,
       emails     text[] DEFAULT '{}',
       prices     ${s}.prices,
       data       jsonb DEFAULT '{"a": [1, 2]}',
       picture    bytea,
       price      numeric(12, 4),
       number     int DEFAULT nextval('${schema}.numbers'),
       seen       timestamptz(3) DEFAULT now(),
       bits       bit(5) DEFAULT B'10101',
       doubled    numeric GENERATED ALWAYS AS (price * 2) STORED,
       gone       int
     ) WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false)`,
    `ALTER TABLE ${s}.customers DROP COLUMN gone`,
    `ALTER TABLE ${s}.customers ADD COLUMN "Ödd, ""name""" text`,
    `ALTER TABLE ${s}.customers ALTER COLUMN picture SET STORAGE EXTERNAL, ALTER COLUMN name SET STATISTICS 500`,
    `ALTER TABLE ${s}.customers ALTER COLUMN name SET (n_distinct = -0.5)`,
    `ALTER TABLE ${s}.customers ALTER COLUMN data SET COMPRESSION pglz`,
    `COMMENT ON TABLE ${s}.customers IS E'who pays\\nwell; or not -- \\\\ at all'`,
    `COMMENT ON COLUMN ${s}.customers.name IS 'as he says'`,
    `COMMENT ON SEQUENCE ${s}.customers_id_seq IS 'identity'`,
    `COMMENT ON CONSTRAINT customers_pkey ON ${s}.customers IS 'the key'`,
    `ALTER TABLE ${s}.customers REPLICA IDENTITY FULL`,
    `CREATE UNLOGGED TABLE ${s}.scratch (at timestamp, what text)`,
    `CREATE TABLE ${s}.nothing_at_all ()`,
    `CREATE TABLE ${s}.only_generated (one int GENERATED ALWAYS AS (1) STORED)`,
    `CREATE TABLE ${s}."order; DROP TABLE x --\n""q""/..%" (id int, "select" text)`,
    `CREATE TABLE ${s}.typed OF ${s}.address`,

    // Functions that tables need, tables that functions need.
    `CREATE FUNCTION ${s}.next_code(prefix text DEFAULT 'x;y') RETURNS text LANGUAGE plpgsql AS
       $f$ BEGIN RETURN prefix || nextval('${schema}.untouched') || E'\\n$$;'; END $f$`,
    `CREATE TABLE ${s}.codes (code text DEFAULT ${s}.next_code('c'), size int CHECK (${s}.is_even(size)))`,
    `CREATE FUNCTION ${s}.customer_name(${s}.customers) RETURNS text STABLE LANGUAGE sql AS 'SELECT $1.name'`,
    `ALTER TABLE ${s}.customers ALTER COLUMN data SET DEFAULT to_jsonb(${s}.next_code())`,
    `CREATE FUNCTION ${s}.count_customers() RETURNS bigint STABLE SECURITY DEFINER SET search_path = pg_catalog
       BEGIN ATOMIC SELECT count(*) FROM ${s}.customers; END`,
    `COMMENT ON FUNCTION ${s}.count_customers() IS 'all of them'`,
    `CREATE PROCEDURE ${s}.tidy(INOUT n int, VARIADIC rest text[]) LANGUAGE plpgsql AS 'BEGIN n := 1; END'`,
    `COMMENT ON PROCEDURE ${s}.tidy(int, text[]) IS 'a procedure'`,
    `CREATE FUNCTION ${s}.add(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2'`,
    `CREATE AGGREGATE ${s}.total(int) (SFUNC = ${s}.add, STYPE = int, INITCOND = '0', COMBINEFUNC = ${s}.add, PARALLEL = SAFE)`,
    `COMMENT ON AGGREGATE ${s}.total(int) IS 'a sum'`,
    `CREATE FUNCTION ${s}.first(int[]) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1[1]'`,
    `CREATE AGGREGATE ${s}.least(ORDER BY int) (SFUNC = array_append, STYPE = int[], FINALFUNC = ${s}.first)`,
    `COMMENT ON AGGREGATE ${s}.least(ORDER BY int) IS 'the first'`,
    `CREATE AGGREGATE ${s}.everybody(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0')`,

    // Inheritance and partitions.
    `CREATE TABLE ${s}.animals (name text NOT NULL, legs int DEFAULT 4 CHECK (legs >= 0))`,
    `CREATE TABLE ${s}.dogs (bark text) INHERITS (${s}.animals)`,
    `ALTER TABLE ${s}.animals ADD COLUMN born date`,
    `ALTER TABLE ${s}.dogs ADD CONSTRAINT barks CHECK (bark <> '') NO INHERIT`,
    `CREATE TABLE ${s}.events (at date NOT NULL, region text NOT NULL, id int NOT NULL, what text) PARTITION BY RANGE (at)`,
    `CREATE TABLE ${s}.events_2025 PARTITION OF ${s}.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`,
    `CREATE TABLE ${s}.events_2026 PARTITION OF ${s}.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
       PARTITION BY LIST (region)`,
    `CREATE TABLE ${s}.events_2026_eu PARTITION OF ${s}.events_2026 FOR VALUES IN ('eu', 'uk')`,
    `CREATE TABLE ${s}.events_2026_rest (what text, id int NOT NULL, region text NOT NULL, at date NOT NULL)`,
    `ALTER TABLE ${s}.events_2026 ATTACH PARTITION ${s}.events_2026_rest DEFAULT`,
    `CREATE TABLE ${s}.events_rest PARTITION OF ${s}.events DEFAULT`,
    `ALTER TABLE ${s}.events ADD CONSTRAINT events_key PRIMARY KEY (at, region, id)`,
    `CREATE INDEX events_what ON ${s}.events (lower(what)) WHERE what IS NOT NULL`,
    `ALTER TABLE ${s}.events ADD CONSTRAINT short_what CHECK (length(what) < 1000)`,
    `CREATE TABLE ${s}.hashed (id int, what text) PARTITION BY HASH (id)`,
    `CREATE TABLE ${s}.hashed_0 PARTITION OF ${s}.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0)`,
    `CREATE TABLE ${s}.hashed_1 PARTITION OF ${s}.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,

    // Constraints and indexes.
    `CREATE TABLE ${s}.invoices (
       id       int CONSTRAINT invoice_key PRIMARY KEY DEFERRABLE INITIALLY DEFERRED,
       customer bigint REFERENCES ${s}.customers ON DELETE CASCADE,
       number   text UNIQUE NULLS NOT DISTINCT,
       during   int4range,
       at       date, region text, event int,
       amount   numeric CONSTRAINT positive CHECK (amount > 0),
       EXCLUDE USING gist (during WITH &&),
       UNIQUE (customer, number) INCLUDE (amount),
       CONSTRAINT about FOREIGN KEY (at, region, event) REFERENCES ${s}.events MATCH FULL ON UPDATE SET NULL
     )`,
    `ALTER TABLE ${s}.invoices ADD CONSTRAINT not_checked CHECK (amount < 1000) NOT VALID`,
    `CREATE TABLE ${s}.lone (id int PRIMARY KEY)`,
    `ALTER TABLE ${s}.invoices ADD CONSTRAINT not_checked_either FOREIGN KEY (id) REFERENCES ${s}.lone NOT VALID`,
    `COMMENT ON CONSTRAINT positive ON ${s}.invoices IS 'or nothing'`,
    `CREATE INDEX by_amount ON ${s}.invoices USING btree (amount DESC NULLS LAST, lower(number) text_pattern_ops)
       INCLUDE (customer) WITH (fillfactor = 50) WHERE amount > 1`,
    `COMMENT ON INDEX ${s}.by_amount IS 'big first'`,
    `ALTER INDEX ${s}.by_amount ALTER COLUMN 2 SET STATISTICS 77`,
    `CREATE UNIQUE INDEX by_number ON ${s}.invoices (number)`,
    `ALTER TABLE ${s}.invoices CLUSTER ON by_number`,
    `CREATE TABLE ${s}.replicated (id int NOT NULL)`,
    `CREATE UNIQUE INDEX replicated_id ON ${s}.replicated (id)`,
    `ALTER TABLE ${s}.replicated REPLICA IDENTITY USING INDEX replicated_id`,

    // Views.
    `CREATE VIEW ${s}.rich WITH (security_barrier, check_option = local) AS
       SELECT id, name, "Ödd, ""name""" AS odd FROM ${s}.customers WHERE price > 1000`,
    `ALTER VIEW ${s}.rich ALTER COLUMN name SET DEFAULT 'rich one'`,
    `CREATE VIEW ${s}.a_rich_one AS SELECT * FROM ${s}.rich LIMIT 1`,
    `COMMENT ON VIEW ${s}.rich IS 'rich'`,
    `COMMENT ON COLUMN ${s}.rich.odd IS 'odd'`,
    `CREATE VIEW ${s}.by_key AS SELECT c.id, c.name, count(*) FROM ${s}.customers c GROUP BY c.id`,
    `CREATE VIEW ${s}.above_by_key AS SELECT * FROM ${s}.by_key`,
    `CREATE MATERIALIZED VIEW ${s}.summary AS SELECT mood, count(*) AS n FROM ${s}.customers GROUP BY mood`,
    `CREATE UNIQUE INDEX summary_mood ON ${s}.summary (mood)`,
    `COMMENT ON MATERIALIZED VIEW ${s}.summary IS 'a summary'`,
    `CREATE MATERIALIZED VIEW ${s}.a_summary_of_it AS SELECT sum(n) FROM ${s}.summary`,
    `CREATE MATERIALIZED VIEW ${s}.not_filled AS SELECT 1 AS one WITH NO DATA`,

    // Triggers, rules, statistics.
    `CREATE FUNCTION ${s}.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.what := ''touched''; RETURN NEW; END'`,
    `CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF what ON ${s}.events FOR EACH ROW WHEN (NEW.what = 'x') EXECUTE FUNCTION ${s}.touch()`,
    `CREATE TRIGGER touch_scratch BEFORE INSERT ON ${s}.scratch FOR EACH ROW EXECUTE FUNCTION ${s}.touch('an ''argument''')`,
    `COMMENT ON TRIGGER touch_scratch ON ${s}.scratch IS 'off'`,
    `ALTER TABLE ${s}.scratch DISABLE TRIGGER touch_scratch`,
    `ALTER TABLE ${s}.events_2025 ENABLE ALWAYS TRIGGER touch`,
    `CREATE CONSTRAINT TRIGGER later AFTER INSERT ON ${s}.invoices DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ${s}.touch()`,
    `ALTER TABLE ${s}.invoices ENABLE REPLICA TRIGGER later`,
    `CREATE TRIGGER instead INSTEAD OF INSERT ON ${s}.rich FOR EACH ROW EXECUTE FUNCTION ${s}.touch()`,
    `CREATE RULE protect AS ON DELETE TO ${s}.scratch WHERE OLD.what = 'kept' DO INSTEAD NOTHING`,
    `COMMENT ON RULE protect ON ${s}.scratch IS 'kept'`,
    `ALTER TABLE ${s}.scratch DISABLE RULE protect`,
    `CREATE STATISTICS ${s}.correlated (dependencies, ndistinct) ON customer, amount FROM ${s}.invoices`,
    `ALTER STATISTICS ${s}.correlated SET STATISTICS 42`,
    `COMMENT ON STATISTICS ${s}.correlated IS 'they are'`,

    // Who may do what.
    `ALTER TABLE ${s}.customers ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${s}.invoices ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${s}.invoices FORCE ROW LEVEL SECURITY`,
    `CREATE POLICY everybody ON ${s}.customers USING (name <> 'secret') WITH CHECK (${s}.is_even(1))`,
    `CREATE POLICY readers ON ${s}.invoices AS RESTRICTIVE FOR SELECT TO ${to('reader')}, ${to('writer')} USING (amount < 10)`,
    `COMMENT ON POLICY readers ON ${s}.invoices IS 'little'`,
    `REVOKE ALL ON ${s}.customers FROM ${to('reader')}, ${to('writer')}`,
    `GRANT SELECT (id, name) ON ${s}.customers TO ${to('reader')}`,
    `GRANT SELECT, TRUNCATE ON ${s}.scratch TO ${to('writer')} WITH GRANT OPTION`,
    `GRANT SELECT ON ${s}.animals TO PUBLIC`,
    `REVOKE INSERT ON ${s}.animals FROM ${to('owner')}`,
    `REVOKE EXECUTE ON FUNCTION ${s}.add(int, int) FROM ${to('reader')}`,
    `REVOKE USAGE ON TYPE ${s}.address FROM PUBLIC`,
    `GRANT USAGE ON TYPE ${s}.mood TO ${to('analyst')}`,
    `GRANT UPDATE ON SEQUENCE ${s}.numbers TO ${to('reader')}`,
    `GRANT SELECT ON ${s}.summary TO ${to('analyst')}`,
    `GRANT CREATE ON SCHEMA ${s} TO ${to('writer')}`,
    `COMMENT ON SCHEMA ${s} IS 'everything there is'`,
  ];
}

/** Puts rows into the tables of {@link everything}, and takes values from its sequences. */
export function someRows(schema: string): string[] {
  const s = identifier(schema).text;
  const odd = `E'tab\\there, line\\nthere, \\r, back\\\\slash, \\\\N, \\\\., quote '' and ", ☃ 🦆 \\u00e9 \\x01 \\x7f'`;
  return [
    `INSERT INTO ${s}.customers (name, mood, address, even, emails, prices, data, picture, price, bits, "Ödd, ""name""") VALUES
       ('Ada', 'it''s ok', ROW('Main St, "1"', 7, 1.5), 4, ARRAY['a@b', NULL, E'c"d\\\\e', ''], '[1,2)', E'{"k": "v\\\\n"}',
        '\\x00ff0a5c', 1234.5678, B'00001', ${odd}),
       ('', NULL, NULL, 2, NULL, 'empty', 'null', '', 'NaN', NULL, NULL),
       (${odd}, 'happy', ROW(NULL, NULL, NULL), 2, '{}', '(,)', '[]', NULL, -0.0001, B'11111', '\\N')`,
    `INSERT INTO ${s}.scratch VALUES ('infinity', ${odd}), ('2026-01-01 00:00:00.123456', NULL), ('-infinity', '')`,
    `INSERT INTO ${s}."order; DROP TABLE x --\n""q""/..%" VALUES (1, 'one'), (NULL, NULL)`,
    `INSERT INTO ${s}.nothing_at_all DEFAULT VALUES`,
    `INSERT INTO ${s}.nothing_at_all DEFAULT VALUES`,
    `INSERT INTO ${s}.only_generated DEFAULT VALUES`,
    `INSERT INTO ${s}.codes DEFAULT VALUES`,
    `INSERT INTO ${s}.typed VALUES ('a', 1, 2.5)`,
    `INSERT INTO ${s}.dogs (name, bark, born) VALUES ('Rex', 'woof', '0044-03-15 BC'), ('Max', NULL, NULL)`,
    `INSERT INTO ${s}.events SELECT date '2024-12-01' + n * 30, (ARRAY['eu', 'us'])[n % 2 + 1], n, 'event ' || n FROM generate_series(1, 40) n`,
    `INSERT INTO ${s}.hashed SELECT n, 'row ' || n FROM generate_series(1, 50) n`,
    `INSERT INTO ${s}.lone VALUES (1), (2)`,
    `ALTER TABLE ${s}.invoices NO FORCE ROW LEVEL SECURITY`,
    `INSERT INTO ${s}.invoices (id, customer, number, during, amount) VALUES
       (1, 1000, 'A', '[1,5)', 5), (2, NULL, 'B', '[5,9)', 999.99)`,
    `ALTER TABLE ${s}.invoices FORCE ROW LEVEL SECURITY`,
    `REFRESH MATERIALIZED VIEW ${s}.summary`,
    `REFRESH MATERIALIZED VIEW ${s}.a_summary_of_it`,
    `SELECT setval('${schema}.customers_code_seq', 77, false)`,
  ];
}
