import { Sql, sql } from '../../postgres/sql.ts';

/** Classes of objects, in the order in which they are made where nothing else decides. */
export const kinds = [
  'type',
  'routine',
  'sequence',
  'table',
  'default',
  'view',
  'constraint',
  'index',
  'foreign key',
  'row security',
  'trigger',
  'rule',
  'statistics',
  'refresh',
] as const;

export type Kind = (typeof kinds)[number];

/** An object of the schemas, with the statements that make it and all that is told of it alone. */
export interface DescribedObject {
  /** `catalog/oid`: the same object in all queries of one transaction. */
  readonly node: string;
  readonly kind: Kind;
  readonly schema: string;
  /** Qualified and quoted, with arguments or the table where a name needs them. */
  readonly name: string;
  readonly statements: readonly string[];
  /** Nodes that have to be there before, which the catalog doesn't know of as dependencies. */
  readonly needs?: readonly string[];
}

/** The schemas that an archive is of, as a table expression. */
export function namespaces(schemas: readonly string[]): Sql {
  return sql`namespace AS (
  SELECT oid, nspname, nspowner FROM pg_catalog.pg_namespace WHERE nspname IN (${schemas})
)`;
}

const owners = {
  pg_class: 'relowner',
  pg_type: 'typowner',
  pg_proc: 'proowner',
  pg_statistic_ext: 'stxowner',
};

/**
 * Whether an object of the schema `n` is its owner's and no extension's, which brings its own.
 *
 * @param alias of the catalog in the query
 */
export function isOwn(catalog: keyof typeof owners, alias: string): Sql {
  return sql`${Sql.of(`${alias}.${owners[catalog]}`)} = n.nspowner AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_depend e
          WHERE e.classid = ${`pg_catalog.${catalog}`}::regclass AND e.objid = ${Sql.of(alias)}.oid AND e.deptype = 'e')`;
}

/** Storage parameters as they are written in a statement. */
export function parameters(options: string, prefix = ''): Sql {
  return sql`(
         SELECT string_agg(format(${`${prefix}%I = %L`}, split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ' ORDER BY place)
           FROM unnest(${Sql.of(options)}) WITH ORDINALITY AS u (o, place))`;
}

/** ` COLLATE …` where a collation is another than its type's. */
export function collation(collation: string, type: string): Sql {
  return sql`coalesce((
         SELECT format(' COLLATE %I.%I', cn.nspname, co.collname)
           FROM pg_catalog.pg_collation co
           JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
           JOIN pg_catalog.pg_type ct ON ct.oid = ${Sql.of(type)}
          WHERE co.oid = ${Sql.of(collation)} AND co.oid <> ct.typcollation), '')`;
}

/** What a sequence is like, but for its type and its value. */
export function sequenceOptions(sequence: string): Sql {
  const q = Sql.of(sequence);
  return sql`format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s', ${q}.seqstart, ${q}.seqincrement,
         ${q}.seqmin, ${q}.seqmax, ${q}.seqcache, CASE WHEN ${q}.seqcycle THEN ' CYCLE' END)`;
}

/** A default that calls a function is set once both are there: the function may need the table. So is a view's column's. */
export function standsAlone(attrdef: string): Sql {
  const d = Sql.of(attrdef);
  return sql`(EXISTS (
         SELECT FROM pg_catalog.pg_depend f
          WHERE f.classid = 'pg_catalog.pg_attrdef'::regclass AND f.objid = ${d}.oid
            AND f.refclassid = 'pg_catalog.pg_proc'::regclass)
       OR EXISTS (SELECT FROM pg_catalog.pg_class v WHERE v.oid = ${d}.adrelid AND v.relkind = 'v'))
       AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_attribute g
          WHERE g.attrelid = ${d}.adrelid AND g.attnum = ${d}.adnum AND g.attgenerated <> '')`;
}
