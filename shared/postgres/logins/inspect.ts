import type pg from 'pg';
import { adminOf, isWriter } from '../offboard/principal.ts';
import { type Sql, sql } from '../sql.ts';

/** A session of a login that isn't Drover's own proof. */
export interface LoginSession {
  readonly pid: number;
  readonly database: string | null;
  readonly application: string;
  /** ISO 8601; null where the acting admin may not know. */
  readonly since: string | null;
}

export interface InspectedLogin {
  readonly name: string;
  readonly login: boolean;
  /** Has SUPERUSER, CREATEROLE, REPLICATION or BYPASSRLS. */
  readonly privileged: boolean;
  /** May act as Drover's admins. */
  readonly writer: boolean;
  readonly comment: string | null;
  /** The acting admin that may change it; null where none may. */
  readonly admin: string | null;
  /** Of its connections; -1 for none. */
  readonly connectionLimit: number;
  /** `name=value` of what is set for it in the database that was asked about. */
  readonly settings: readonly string[];
  readonly sessions: readonly LoginSession[];
}

export interface InspectedLogins {
  readonly serverVersion: number;
  readonly logins: readonly InspectedLogin[];
}

/** One query for everything that is decided about logins. Those that aren't there are no rows. */
export function loginsInspection(names: readonly string[], database: string): Sql {
  return sql`
WITH settings AS (
  SELECT current_setting('server_version_num')::int AS version
), subject AS (
  SELECT r.oid, r.rolname AS name, r.rolcanlogin AS login,
         r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls AS privileged,
         ${isWriter(sql`r.oid`)} AS writer,
         shobj_description(r.oid, 'pg_authid') AS comment,
         r.rolconnlimit AS "connectionLimit",
         ${adminOf(sql`r`)} AS admin,
         coalesce((
           SELECT to_jsonb(s.setconfig)
             FROM pg_catalog.pg_db_role_setting s
             JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
            WHERE s.setrole = r.oid AND d.datname = ${database}), '[]') AS settings,
         coalesce((
           SELECT jsonb_agg(jsonb_build_object(
                    'pid', a.pid, 'database', a.datname, 'application', coalesce(a.application_name, ''),
                    'since', to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
                    ORDER BY a.pid)
             FROM pg_catalog.pg_stat_activity a
            WHERE a.usesysid = r.oid AND coalesce(a.application_name, '') !~ '^drover/'), '[]') AS sessions
    FROM pg_catalog.pg_roles r
   WHERE r.rolname IN (${names})
)
SELECT jsonb_build_object(
  'serverVersion', (SELECT version FROM settings),
  'logins', coalesce((SELECT jsonb_agg(to_jsonb(subject) - 'oid') FROM subject), '[]')) AS inspected`;
}

export function readLogins(result: pg.QueryResult): InspectedLogins {
  return (result.rows[0] as { inspected: InspectedLogins }).inspected;
}
