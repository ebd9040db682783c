import { createHash } from 'node:crypto';
import type pg from 'pg';
import { OperationError } from '../../../shared/operation/errors.ts';
import { identifier, qualified, Sql, sql } from '../../../shared/postgres/sql.ts';
import { isServerError } from '../../../shared/postgres/sqlstate.ts';
import type { ReadyCollection } from '../catalog/collections.ts';
import type { Column } from '../catalog/columns.ts';
import { documentColumns } from '../catalog/template.ts';
import type { Relations } from './state.ts';

/** A collection as a view: what paths are made of and what its JSON Schema describes are columns. */
export interface View {
  readonly name: string;
  readonly query: Sql;
  /** The comment on it, by which it is known again. */
  readonly marker: string;
}

interface Marker {
  readonly managedBy: 'drover';
  readonly repository: string;
  readonly definition: string;
}

/** The view of a collection. */
export function viewOf(schema: string, repository: string, collection: ReadyCollection): View {
  const { name, names, columns, definition } = collection;
  const [key, ...others] = documentColumns.map(identifier);
  const parts = names.map((part) => sql`parts ->> ${part} AS ${identifier(part)}`);
  const typed = columns.map(
    (column) => sql`${columnValue(column, definition)} AS ${identifier(column.name)}`,
  );
  const query = sql`
SELECT ${[key ?? Sql.of(''), ...parts, ...typed, ...others]}
  FROM ${qualified(schema, 'documents')}
 WHERE repository = ${repository} AND collection = ${name}`;
  // Documents that are read in another way are read again, though the view stays the same.
  const digest = createHash('sha256').update(definition).update(query.text).digest('hex').slice(0, 16);
  const marker: Marker = { managedBy: 'drover', repository, definition: digest };
  return { name, query, marker: JSON.stringify(marker) };
}

/**
 * A field as a value of its column's type. Rows that were kept from before the definition changed may hold anything: there
 * it is null, for one of them must not make the view fail.
 */
function columnValue({ property, type }: Column, definition: string): Sql {
  const text = sql`(metadata ->> ${property})`;
  const whenValid = (value: Sql) => sql`CASE WHEN definition = ${definition} THEN ${value} END`;
  switch (type) {
    case 'text':
      return text;
    case 'jsonb':
      return sql`metadata -> ${property}`;
    case 'text[]':
      return sql`CASE WHEN jsonb_typeof(metadata -> ${property}) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(metadata -> ${property})) END`;
    case 'bigint':
      return whenValid(sql`${text}::numeric::bigint`);
    default:
      return whenValid(sql`${text}::${Sql.of(type)}`);
  }
}

/** What has to happen to the views of a repository. */
export interface ViewChanges {
  readonly make: readonly View[];
  readonly drop: readonly string[];
}

/**
 * @throws OperationError `VIEW_TAKEN`
 */
export function planViews(
  schema: string,
  repository: string,
  wanted: readonly View[],
  relations: Relations,
): ViewChanges {
  // A view may be called `constructor`, which every object has.
  const found = new Map(Object.entries(relations));
  const isOurs = (name: string) => markerOf(found.get(name)?.comment)?.repository === repository;
  const taken = wanted.map(({ name }) => name).filter((name) => found.has(name) && !isOurs(name));
  if (taken.length > 0) {
    throw new OperationError(
      'VIEW_TAKEN',
      `Schema ${schema} has ${taken.join(', ')} already, and not from ${repository}: call the collection otherwise, or sync to another schema. A repository that was renamed is another one: drop what is left of the former`,
      { details: { schema, taken } },
    );
  }
  const names = new Set(wanted.map(({ name }) => name));
  return {
    make: wanted.filter(({ name, marker }) => found.get(name)?.comment !== marker),
    drop: [...found.keys()].filter((name) => isOurs(name) && !names.has(name)),
  };
}

function markerOf(comment: string | null | undefined): Marker | undefined {
  if (!comment?.startsWith('{')) return undefined;
  try {
    const marker = JSON.parse(comment) as Partial<Marker>;
    return marker.managedBy === 'drover' && marker.repository !== undefined ? (marker as Marker) : undefined;
  } catch {
    return undefined;
  }
}

/** The statements of {@link changeViews}, for a dry run. */
export function viewStatements(schema: string, { make, drop }: ViewChanges): Sql[] {
  return [
    ...drop.map((name) => sql`DROP VIEW ${qualified(schema, name)}`),
    ...make.flatMap((view) => makeStatements(schema, view)),
  ];
}

function makeStatements(schema: string, { name, query, marker }: View): Sql[] {
  return [
    sql`CREATE OR REPLACE VIEW ${qualified(schema, name)} AS${query}`,
    sql`COMMENT ON VIEW ${qualified(schema, name)} IS ${marker}`,
  ];
}

/** Columns were taken away or have other types: the view can't be replaced as it is. */
const invalidTableDefinition = '42P16';
const dependentObjects = '2BP01';

/**
 * Makes the views what they should be, in a transaction, as the owner. One whose columns only became more stays, with who
 * may read it and what is built on it; another is made anew.
 *
 * @throws OperationError `VIEW_IN_USE`
 */
export async function changeViews(
  client: pg.ClientBase,
  schema: string,
  { make, drop }: ViewChanges,
): Promise<void> {
  for (const name of drop) await dropView(client, schema, name);
  for (const view of make) {
    const [create, comment] = makeStatements(schema, view).map(({ text }) => text);
    await client.query('SAVEPOINT view');
    try {
      await client.query(create ?? '');
    } catch (error) {
      if (!isServerError(error) || error.code !== invalidTableDefinition) throw error;
      await client.query('ROLLBACK TO SAVEPOINT view');
      await dropView(client, schema, view.name);
      await client.query(create ?? '');
    }
    await client.query(comment ?? '');
  }
}

async function dropView(client: pg.ClientBase, schema: string, name: string): Promise<void> {
  try {
    await client.query(sql`DROP VIEW ${qualified(schema, name)}`.text);
  } catch (error) {
    if (!isServerError(error) || error.code !== dependentObjects) throw error;
    throw new OperationError(
      'VIEW_IN_USE',
      `The view ${schema}.${name} has to be made anew, and others are built on it: drop those first. ${error.detail ?? ''}`,
      { details: { schema, view: name }, cause: error },
    );
  }
}
