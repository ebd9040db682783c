import type pg from 'pg';
import type { Sql } from '../../postgres/sql.ts';
import { access, type DescribedAccess, type DescribedPolicy, policies } from './access.ts';
import { dependencies, extensions } from './dependencies.ts';
import { constraints, indexes } from './indexes.ts';
import type { DescribedObject } from './object.ts';
import { type Omission, omissions } from './omissions.ts';
import { inOrder, type OrderedObject } from './order.ts';
import { routines } from './routines.ts';
import { sequenceNames, sequences } from './sequences.ts';
import { defaults, rowSecurity, tables } from './tables.ts';
import { rules, statistics, triggers } from './triggers.ts';
import { types } from './types.ts';
import { refreshes, views } from './views.ts';

/** A table whose rows are kept: an ordinary one, or a partition. */
export interface DescribedTable {
  readonly schema: string;
  readonly table: string;
  /** Whose values are kept; generated ones are computed anew. */
  readonly columns: readonly string[];
  /** Row level security holds for the owner, too. */
  readonly forced: boolean;
}

export interface DescribedSequence {
  readonly schema: string;
  readonly name: string;
}

export interface DescribedExtension {
  readonly name: string;
  readonly version: string;
  readonly schema: string;
}

/** All that is in some schemas, but for the rows. */
export interface SchemasDescription {
  /** In an order in which they can be made. */
  readonly objects: readonly OrderedObject[];
  readonly tables: readonly DescribedTable[];
  readonly sequences: readonly DescribedSequence[];
  readonly extensions: readonly DescribedExtension[];
  readonly access: readonly DescribedAccess[];
  readonly policies: readonly DescribedPolicy[];
  readonly omissions: readonly Omission[];
}

type TableRow = DescribedObject & Omit<DescribedTable, 'columns'> & { readonly columns: string[] | null };

/**
 * Describes schemas by what the catalog says, with PostgreSQL's own functions where there are some: as statements that
 * make them anew. To be called in one transaction with an empty `search_path`, so that all names are qualified.
 *
 * @param owners of the schemas
 */
export async function describeSchemas(
  client: pg.ClientBase,
  owners: ReadonlyMap<string, string>,
): Promise<SchemasDescription> {
  const schemas = [...owners.keys()];
  const rows = async <T>(query: Sql) => (await client.query(query.text)).rows as T[];
  const tableRows = await rows<TableRow>(tables(schemas));
  const described: DescribedObject[] = [...tableRows];
  for (const describe of [
    ...[types, routines, sequences, defaults, rowSecurity, views, refreshes],
    ...[indexes, constraints, triggers, rules, statistics],
  ]) {
    described.push(...(await rows<DescribedObject>(describe(schemas))));
  }
  const { objects, impossible } = inOrder(described, await rows(dependencies(schemas)));
  const unordered = impossible.map(
    ({ object, reason }): Omission => ({ object: `${object.kind} ${object.name}`, reason, minor: false }),
  );
  return {
    objects,
    tables: tableRows.flatMap(({ schema, table, columns, forced }) =>
      columns ? [{ schema, table, columns, forced }] : [],
    ),
    sequences: await rows(sequenceNames(schemas)),
    extensions: await rows(extensions(schemas)),
    access: await rows(access(schemas)),
    policies: await rows(policies(schemas)),
    omissions: [...unordered, ...(await rows<Omission>(omissions(owners)))],
  };
}
