import { type Sql, sql } from '../../postgres/sql.ts';
import { isOwn, namespaces } from './object.ts';

/** Functions, procedures and aggregates. */
export function routines(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}, own AS (
  SELECT p.*, n.nspname,
         format('%I.%I(%s)', n.nspname, p.proname,
                CASE WHEN p.prokind = 'a'
                     THEN coalesce(nullif(pg_get_function_identity_arguments(p.oid), ''), '*')
                     ELSE pg_get_function_identity_arguments(p.oid) END) AS name
    FROM pg_catalog.pg_proc p
    JOIN namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
   WHERE (p.prokind = 'a' OR l.lanname NOT IN ('c', 'internal')) AND ${isOwn('pg_proc', 'p')}
)
SELECT 'pg_proc/' || own.oid AS node, 'routine' AS kind, nspname AS schema, name,
       array_remove(ARRAY[
         CASE WHEN prokind <> 'a' THEN pg_get_functiondef(own.oid) ELSE
           format(E'CREATE AGGREGATE %s (\n  %s\n)', name, array_to_string(ARRAY[
             'SFUNC = ' || a.aggtransfn,
             'STYPE = ' || format_type(a.aggtranstype, NULL),
             'SSPACE = ' || nullif(a.aggtransspace, 0),
             'FINALFUNC = ' || nullif(a.aggfinalfn::oid, 0)::regproc,
             CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
             CASE WHEN a.aggfinalfn <> 0 THEN 'FINALFUNC_MODIFY = ' || ${modification('a.aggfinalmodify')} END,
             'COMBINEFUNC = ' || nullif(a.aggcombinefn::oid, 0)::regproc,
             'SERIALFUNC = ' || nullif(a.aggserialfn::oid, 0)::regproc,
             'DESERIALFUNC = ' || nullif(a.aggdeserialfn::oid, 0)::regproc,
             'INITCOND = ' || quote_literal(a.agginitval),
             'MSFUNC = ' || nullif(a.aggmtransfn::oid, 0)::regproc,
             'MINVFUNC = ' || nullif(a.aggminvtransfn::oid, 0)::regproc,
             'MSTYPE = ' || format_type(nullif(a.aggmtranstype, 0), NULL),
             'MSSPACE = ' || nullif(a.aggmtransspace, 0),
             'MFINALFUNC = ' || nullif(a.aggmfinalfn::oid, 0)::regproc,
             CASE WHEN a.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
             CASE WHEN a.aggmfinalfn <> 0 THEN 'MFINALFUNC_MODIFY = ' || ${modification('a.aggmfinalmodify')} END,
             'MINITCOND = ' || quote_literal(a.aggminitval),
             (SELECT format('SORTOP = OPERATOR(%I.%s)', n.nspname, o.oprname)
                FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
               WHERE o.oid = a.aggsortop),
             'PARALLEL = ' || CASE proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' END,
             CASE WHEN a.aggkind = 'h' THEN 'HYPOTHETICAL' END], E',\n  ')) END,
         format('COMMENT ON %s %s IS ', CASE prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, name)
           || quote_literal(obj_description(own.oid, 'pg_proc'))], NULL) AS statements
  FROM own
  LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = own.oid`;
}

function modification(column: 'a.aggfinalmodify' | 'a.aggmfinalmodify'): Sql {
  const words = sql`WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END`;
  return column === 'a.aggfinalmodify'
    ? sql`CASE a.aggfinalmodify ${words}`
    : sql`CASE a.aggmfinalmodify ${words}`;
}
