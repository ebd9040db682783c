import pg from 'pg';

/** Runs one statement in the database `postgres`, as the superuser. */
export async function query<Row extends pg.QueryResultRow>(
  url: string,
  statement: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(statement, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** PostgreSQL's refusal in the words in which Cloud SQL passes it on. */
export function refusal(what: string, error: unknown): Error {
  if (!(error instanceof pg.DatabaseError)) return error instanceof Error ? error : new Error(String(error));
  const detail = error.detail === undefined ? '' : ` Details: ${error.detail}.`;
  return new Error(`${what}: . ${error.message}${detail}`);
}
