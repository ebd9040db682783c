-- Prepares one instance for Drover. Run it as the instance's admin (Cloud SQL: `postgres`), in any database; run it
-- again whenever a function is added. What exists stays.
--
-- `drover.logins` names the logins of the functions that change things, separated by commas. `drover prepare` prints
-- this file with them filled in.
--
--   drover_admin          holds what Drover may do in a database, such as CREATE (see below)
--   drover_admin_00…63    the acting admins: sessions act as one of them, chosen by the target. They inherit
--                         drover_admin, may create roles, and are many because PostgreSQL walks all of an admin's
--                         roles for each one that it makes
--   drover_writers        the functions' logins are members of it and act as the admins through it. It doesn't
--                         inherit, so that a session can do nothing until it acts

DO $prepare$
DECLARE
  shard text;
  login text;
  hold  text := CASE WHEN current_setting('server_version_num')::int >= 160000
                     THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'drover_admin') THEN
    CREATE ROLE drover_admin NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'drover_writers') THEN
    CREATE ROLE drover_writers NOLOGIN NOINHERIT;
  END IF;

  -- The instance's admin can then hand things over to Drover: ALTER SCHEMA … OWNER TO drover_admin.
  IF NOT pg_catalog.pg_has_role(current_user, 'drover_admin', 'USAGE') THEN
    EXECUTE pg_catalog.format('GRANT drover_admin TO %I', current_user) || hold;
  END IF;

  FOR n IN 0..63 LOOP
    shard := 'drover_admin_' || pg_catalog.lpad(n::text, 2, '0');
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = shard) THEN
      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN CREATEROLE CREATEDB', shard);
    END IF;
    IF NOT pg_catalog.pg_has_role(shard, 'drover_admin', 'USAGE') THEN
      EXECUTE pg_catalog.format('GRANT drover_admin TO %I', shard);
    END IF;
    IF NOT pg_catalog.pg_has_role('drover_writers', shard, 'MEMBER') THEN
      EXECUTE pg_catalog.format('GRANT %I TO drover_writers', shard);
    END IF;
  END LOOP;

  -- From PostgreSQL 16 on only who has ADMIN on a predefined role can pass it on. Without it Drover makes the analyst
  -- and monitor roles all the same and reports which membership is missing.
  BEGIN
    FOR n IN 0..63 LOOP
      shard := 'drover_admin_' || pg_catalog.lpad(n::text, 2, '0');
      EXECUTE pg_catalog.format('GRANT pg_read_all_stats, pg_monitor TO %I WITH ADMIN OPTION', shard);
    END LOOP;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'this admin can not pass pg_read_all_stats and pg_monitor on: analyst and monitor go without';
  END;

  FOREACH login IN ARRAY pg_catalog.string_to_array(current_setting('drover.logins', true), ',') LOOP
    login := pg_catalog.btrim(login);
    CONTINUE WHEN login = '' OR pg_catalog.pg_has_role(login, 'drover_writers', 'MEMBER');
    EXECUTE pg_catalog.format('GRANT drover_writers TO %I', login);
  END LOOP;
END
$prepare$;

-- In each database where Drover shall make schemas, its owner (Cloud SQL: `postgres` again) grants that once:
--
--   GRANT CREATE ON DATABASE app TO drover_admin;
